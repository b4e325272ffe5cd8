"""Probes through the engine's operations: pictures kept, measured in another process, and shown."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.card import LocalFile
from stylus_ext.core.errors import Cancelled, InvalidInput, Unavailable
from stylus_ext.core.probing import ProbePlace, ProbeSettings
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.measuring import MeasuringProcess
from stylus_ext.engine.operations.table import perform
from stylus_ext.engine.stylus import Stylus, open_stylus
from stylus_ext.environment.layout import Environment, Home
from stylus_ext.environment.machine import Torch
from tests.embedding_server import EmbeddingServer
from tests.engine_process import endpoint_settings
from tests.evaluation.probes.probed import draw_with_loras
from tests.fakes import make_entry

SETTINGS = ProbeSettings("tiny", 48, 48, 2, weights=(0.0, 0.5, 1.0))
FIELDS = {
    **{
        name: getattr(SETTINGS, name)
        for name in ("checkpoint", "width", "height", "steps", "cfg", "sampler")
    },
    "weights": list(SETTINGS.weights),
    "prompts": list(SETTINGS.prompts),
    "seeds": list(SETTINGS.seeds),
    "features": SETTINGS.features,
}
KEY = "civitai:1"


class Progress:
    def report(self, step: str, done: int, total: int | None = None) -> None: ...


class Stopped:
    def report(self, step: str, done: int, total: int | None = None) -> None:
        raise Cancelled("stopped")


class Here(Environment):
    """This interpreter's packages stand for those of the environment."""

    @property
    def ready(self) -> bool:
        return True

    @property
    def path(self) -> list[str]:
        import sys

        return [folder for folder in sys.path if folder]


def here() -> Environment:
    torch = Torch("2.13.0", True)
    return Here(Home(Path()), "k", (), torch, frozenset(), frozenset())


@pytest.fixture
def stylus(tmp_path: Path, vectors: EmbeddingServer) -> Iterator[Stylus]:
    opened = open_stylus(tmp_path, with_values(Settings(), endpoint_settings(vectors.url)))
    files = [LocalFile(f"/l/{name}.safetensors", name, 9, 1) for name in ("medium", "large")]
    opened.catalogue.store.write(
        [
            make_entry(1, "Medium", files=(files[0],)),
            make_entry(2, "Large", family="sdxl", files=(files[1],)),
            make_entry(3, "Unknown", family="unknown", files=(replace(files[1], path="/l/u"),)),
            make_entry(4, "Elsewhere"),
        ]
    )
    yield opened
    opened.close()


def ask(stylus: Stylus, name: str, progress: Any = None, **fields: Any) -> dict[str, Any]:
    return perform(stylus, name, fields, progress or Progress())


def send(stylus: Stylus, place: dict[str, int], **more: Any) -> None:
    request = SETTINGS.request(ProbePlace(**place), "medium")
    picture = base64.b64encode(draw_with_loras(request["prompt"], request["seed"])).decode()
    ask(
        stylus,
        "probe_picture",
        **{"key": KEY, "settings": FIELDS, "data": picture, **place, **more},
    )


def test_those_of_the_family_are_listed_and_named_ones_of_no_family(stylus: Stylus) -> None:
    found = ask(stylus, "probes", family="sd1")
    assert [row["key"] for row in found["entries"]] == [KEY]
    assert found["left_out"] == 2
    named = ask(stylus, "probes", family="sd1", keys=[KEY, "civitai:2", "civitai:3", "civitai:4"])
    assert [row["key"] for row in named["entries"]] == [KEY, "civitai:3"]
    assert named["left_out"] == 2


def test_pictures_are_kept_until_all_are_there(stylus: Stylus) -> None:
    found = ask(stylus, "probe_pictures", key=KEY, settings=FIELDS)
    assert found["pictures"] == len(found["missing"]) == 18
    send(stylus, found["missing"][0])
    send(stylus, found["missing"][7], data="")
    rest = ask(stylus, "probe_pictures", key=KEY, settings=FIELDS)["missing"]
    assert len(rest) == 16
    assert found["missing"][7] not in rest
    with pytest.raises(InvalidInput):
        ask(stylus, "measure", key=KEY, settings=FIELDS)
    place: dict[str, Any] = {"key": KEY, "settings": FIELDS, **found["missing"][1], "data": "AAAA"}
    wrong: list[dict[str, Any]] = [{"weight": 3}, {"prompt": 5}, {"data": "not base64!"}]
    for change in (*wrong, {"weight": 0, "data": ""}):
        with pytest.raises(InvalidInput):
            ask(stylus, "probe_picture", **{**place, **change})
    with pytest.raises(InvalidInput):
        ask(stylus, "probe_pictures", key=KEY, settings={**FIELDS, "weights": [0.5, 1.0]})
    with pytest.raises(InvalidInput):
        ask(stylus, "probe_pictures", key="civitai:4", settings=FIELDS)


def send_all(stylus: Stylus) -> None:
    for place in ask(stylus, "probe_pictures", key=KEY, settings=FIELDS)["missing"]:
        send(stylus, place)


def test_pictures_are_measured_in_another_process(stylus: Stylus) -> None:
    send_all(stylus)
    measuring = MeasuringProcess(here, "tests.evaluation.probes.measuring_child")
    stylus = replace(stylus, measuring=measuring)
    assert ask(stylus, "cards", keys=[KEY])["cards"][KEY]["measured"] is False
    probe = ask(stylus, "measure", key=KEY, settings=FIELDS)["probe"]
    assert probe["strength"] > 0.1
    assert (probe["trouble"], probe["settings"]) == ("", SETTINGS.fingerprint)
    card = ask(stylus, "cards", keys=[KEY])["cards"][KEY]
    assert (card["measured"], card["trouble"], card["preview"]) == (True, "", True)
    assert ask(stylus, "show", key=KEY)["entry"]["probe"] == probe
    assert base64.b64decode(ask(stylus, "picture", key=KEY)["data"]).startswith(b"\xff\xd8\xff")
    row = ask(stylus, "probes", family="sd1", settings=SETTINGS.fingerprint)["entries"][0]
    assert row["measured"] is True
    assert len(ask(stylus, "probe_pictures", key=KEY, settings=FIELDS)["missing"]) == 12


def test_measuring_can_be_stopped_and_its_failure_is_an_answer(stylus: Stylus) -> None:
    send_all(stylus)
    with pytest.raises(Cancelled):
        ask(stylus, "measure", Stopped(), key=KEY, settings=FIELDS)
    broken = replace(stylus, measuring=MeasuringProcess(here, "tests.no_such_module"))
    with pytest.raises(Unavailable):
        ask(broken, "measure", key=KEY, settings=FIELDS)
    assert ask(stylus, "show", key=KEY)["entry"]["probe"] is None


def test_without_the_packages_the_answer_names_the_command(stylus: Stylus) -> None:
    class Missing(Here):
        @property
        def ready(self) -> bool:
            return False

    def missing() -> Environment:
        return Missing(Home(Path()), "k", (), Torch("2.13.0", True), frozenset(), frozenset())

    send_all(stylus)
    stylus = replace(stylus, measuring=MeasuringProcess(missing))
    with pytest.raises(Unavailable, match=r"install\.py probe"):
        ask(stylus, "measure", key=KEY, settings=FIELDS)
    assert ask(stylus, "probe_pictures", key=KEY, settings=FIELDS)["missing"] == []
