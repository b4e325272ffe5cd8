"""`probe` as a process of its own, with a WebUI over HTTP and a catalogue of real files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.probing import PROMPTS, SEEDS, WEIGHTS, ProbeSettings
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.operations.table import perform
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.evaluation.probes.run import Prober, ProbeReport
from tests.embedding_server import EmbeddingServer
from tests.engine_process import ROOT, endpoint_settings, make_folder
from tests.evaluation.pictures.webui_double import HeldPicture, running
from tests.evaluation.probes.probed import NAMES, SCALES, CellFeatures, ProbedWebUi
from tests.lora_files import write_lora

AT_ONCE = len(PROMPTS) * len(SEEDS)
EACH = AT_ONCE * (len(WEIGHTS) - 1)


class Silent:
    def report(self, step: str, done: int, total: int | None = None) -> None: ...


@pytest.fixture
def double() -> ProbedWebUi:
    return ProbedWebUi()


@pytest.fixture
def url(double: ProbedWebUi) -> Iterator[str]:
    with running(double) as address:
        yield address


@pytest.fixture
def data(tmp_path: Path, vectors: EmbeddingServer) -> Path:
    for seed, name in enumerate(NAMES):
        write_lora(tmp_path / "loras" / f"{name}.safetensors", seed=seed)
    write_lora(tmp_path / "loras" / "large.safetensors", "sdxl", seed=99)
    return make_folder(tmp_path / "data", vectors.url)


def command(data: Path, url: str, *words: str) -> list[str]:
    loras = str(data.parent / "loras")
    every = ["probe", "--webui", url, "--family", "sd1", "--lora-dir", loras, "--json"]
    every += ["--data-dir", str(data), "--steps", "2", "--size", "48", *words]
    return [sys.executable, "-m", "tests.evaluation.probes.probed", *every]


def probed(data: Path, url: str, *words: str) -> dict[str, Any]:
    ran = subprocess.run(
        command(data, url, *words), cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return dict(json.loads(ran.stdout))


def opened(data: Path, vectors: EmbeddingServer) -> Stylus:
    return open_stylus(data, with_values(Settings(), endpoint_settings(vectors.url)))


def test_strength_is_in_order_and_broken_files_are_named(
    data: Path, url: str, double: ProbedWebUi, vectors: EmbeddingServer
) -> None:
    found = probed(data, url)
    measured = found["measured"]
    assert set(measured) == set(NAMES)
    assert found["left_out"] == 1
    order = sorted(SCALES, key=lambda name: float(measured[name]["strength"]))
    assert order == sorted(SCALES, key=SCALES.__getitem__)
    troubles = {name: measured[name]["trouble"] for name in NAMES if measured[name]["trouble"]}
    expected = {"nothing": "no_effect", "nan": "broken", "huge": "broken", "failing": "failed"}
    assert troubles == expected
    assert (measured["late"]["breaks_at"], measured["medium"]["breaks_at"]) == (1.25, None)
    assert measured["medium"]["consistency"] > 0.8
    assert measured["medium"]["checkpoint"] == "tiny"
    first = double.requests[0]
    assert (first["steps"], first["width"], first["seed"]) == (2, 48, SEEDS[0])
    again = len(double.requests)
    assert set(probed(data, url)["known"]) == set(NAMES)
    assert len(double.requests) == again
    stylus = opened(data, vectors)
    try:
        shown = perform(stylus, "show", {"key": "medium"}, Silent())["entry"]
        assert shown["probe"] == measured["medium"]
        assert shown["preview"] is True
        picture = perform(stylus, "picture", {"key": "medium"}, Silent())
        assert picture["type"] == "image/jpeg"
        assert perform(stylus, "show", {"key": "nan"}, Silent())["entry"]["preview"] is False
    finally:
        stylus.close()
    assert [
        path.name for path in (data.parent / "loras").iterdir() if path.suffix != ".safetensors"
    ] == []


@pytest.mark.long
def test_only_the_named_ones_are_measured_and_other_settings_measure_again(
    data: Path, url: str, double: ProbedWebUi
) -> None:
    assert set(probed(data, url, "--lora", "medium", "gentle")["measured"]) == {"medium", "gentle"}
    assert len(double.requests) == AT_ONCE + 2 * EACH
    found = probed(data, url, "--lora", "medium", "--steps", "3")
    assert set(found["measured"]) == {"medium"}
    assert set(probed(data, url, "--lora", "medium", "--again", "--steps", "3")["measured"])
    double.answers["loras"] = []
    assert probed(data, url, "--lora", "strong")["not_listed"] == ["strong"]


@pytest.mark.parametrize("way", ["kill", pytest.param("interrupt", marks=pytest.mark.long)])
def test_a_stopped_run_keeps_every_picture_and_resumes(
    data: Path, url: str, double: ProbedWebUi, way: str
) -> None:
    if way == "interrupt" and sys.platform == "win32":
        pytest.skip("Windows has no such signal for one process")
    number = AT_ONCE + 3
    held = HeldPicture(double, number)
    process = subprocess.Popen(
        command(data, url, "--lora", "medium"), cwd=ROOT, stderr=subprocess.PIPE
    )
    held.stop(process, way)
    kept = list((data / "probes").rglob("*.png"))
    assert len(kept) == number - 1
    assert set(probed(data, url, "--lora", "medium")["measured"]) == {"medium"}
    asked = Counter((request["prompt"], request["seed"]) for request in double.requests)
    assert sorted(asked.values()) == [1] * (AT_ONCE + EACH - 1) + [2]


class Asked:
    """The engine's operations, without an engine."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def __call__(self, name: str, payload: Any) -> dict[str, Any]:
        if name == "probes":
            row = {"key": "path:m", "name": "medium", "stem": "medium", "file": "f"}
            return {"entries": [{**row, "measured": False, "probe": None}], "left_out": 0}
        self.kept.append(payload)
        return {"probe": payload}


def run_with(double: ProbedWebUi, url: str, folder: Path, asked: Asked) -> ProbeReport:
    from stylus_ext.evaluation.pictures.webui import WebUi

    webui = WebUi(url, tries=1)
    try:
        prober = Prober(webui, asked, folder, CellFeatures(), Silent(), 0.0, 0.05, 0.01)
        settings = ProbeSettings("tiny", 48, 48, 2)
        return prober.run(settings, "sd1")
    finally:
        webui.close()


def test_no_picture_is_asked_for_while_the_users_own_are_made(
    double: ProbedWebUi, url: str, tmp_path: Path
) -> None:
    """The WebUI is busy for some questions now and then: no request comes before it is idle."""
    states: list[str] = []

    def busy() -> bool:
        is_busy = len(states) % 9 in (3, 4, 5)
        states.append("busy" if is_busy else "idle")
        return is_busy

    double.busy = busy
    double.before = lambda _: states.append("picture")
    asked = Asked()
    run_with(double, url, tmp_path, asked)
    assert len(asked.kept) == 1
    assert "busy" in states
    before = [states[at - 1] for at, state in enumerate(states) if state == "picture"]
    assert set(before) == {"idle"}


def test_a_webui_that_fails_without_the_lora_too_is_not_the_loras_fault(
    double: ProbedWebUi, url: str, tmp_path: Path
) -> None:
    from stylus_ext.core.errors import Unavailable
    from tests.evaluation.pictures.webui_double import Refused

    def fail(number: int) -> None:
        if number > AT_ONCE:
            raise Refused(500)

    double.before = fail
    asked = Asked()
    with pytest.raises(Unavailable):
        run_with(double, url, tmp_path, asked)
    assert not asked.kept
    double.before = lambda _: None
    assert run_with(double, url, tmp_path, asked).measured["medium"]["trouble"] == ""


def test_without_the_packages_no_picture_is_made(
    double: ProbedWebUi, url: str, tmp_path: Path
) -> None:
    from stylus_ext.evaluation.pictures.webui import WebUi

    class Missing(CellFeatures):
        def missing(self) -> str:
            return "Not installed: x."

    prober = Prober(WebUi(url), Asked(), tmp_path, Missing(), Silent())
    with pytest.raises(InvalidInput):
        prober.run(ProbeSettings("tiny", 48, 48, 2), "sd1")
    assert not double.requests


def test_no_picture_of_another_checkpoint_is_kept(
    double: ProbedWebUi, url: str, tmp_path: Path
) -> None:
    double.checkpoint = "another"
    asked = Asked()
    with pytest.raises(InvalidInput):
        run_with(double, url, tmp_path, asked)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


@pytest.mark.long
def test_the_family_has_to_be_known(data: Path, url: str, double: ProbedWebUi) -> None:
    words = [word for word in command(data, url) if word not in ("--family", "sd1")]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert ran.returncode == 1
    assert not double.requests
