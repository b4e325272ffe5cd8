"""Two real engines on loopback and the double of a host whose files they do not see: renamed,
replaced, of another family.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.host.checkpoint import Remembered
from stylus_ext.host.engine.client import EngineClient
from stylus_ext.host.engine.inventory import HostInventory
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.planner import Planner
from tests.embedding_server import EmbeddingServer
from tests.engine_process import engine_in_thread, finished
from tests.host.double.fixtures import Stage
from tests.host.double.processing import parse_generation_parameters
from tests.lora_files import write_lora, write_sidecar

TOKEN = "the-token-of-the-shared-engine"
PROMPT = "corgi dog, watercolor painting"
ON = {"enabled": True}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The LoRA folder of the engine's own machine."""
    folder = tmp_path_factory.mktemp("theirs")
    for number, stem in enumerate(("corgi_dog", "watercolor_painting")):
        write_lora(
            folder / f"{stem}.safetensors",
            metadata={"ss_output_name": stem.replace("_", " "), "ss_base_model_version": "sd_v1"},
            seed=number,
        )
    return folder


@pytest.fixture(scope="module")
def knowing(
    vectors: EmbeddingServer, theirs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineLink]:
    with engine_in_thread(tmp_path_factory.mktemp("knowing") / "data", vectors.url, TOKEN) as link:
        finished(link)
        job = link.call("POST", "/v1/jobs/index", {"lora_dirs": [str(theirs)]})
        assert finished(link, job["id"])["result"]["hashed"] == 2
        yield link


@pytest.fixture(scope="module")
def empty(
    vectors: EmbeddingServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineLink]:
    with engine_in_thread(tmp_path_factory.mktemp("empty") / "data", vectors.url, TOKEN) as link:
        finished(link)
        yield link


@pytest.fixture
def ours(stage: Stage, theirs: Path, tmp_path: Path) -> dict[str, Any]:
    """The host's folder: the same two files under other names, one of them with a sidecar that
    states its sum.
    """
    listed: dict[str, Any] = stage.host.loras.available_networks
    listed.clear()
    stage.host.loras.available_network_aliases.clear()
    stage.host.opts.data |= {
        "stylus_warm_s": 30.0,
        "stylus_cold_s": 30.0,
        "stylus_selection_strictness": 0.0,
    }
    for stem, new in (("corgi_dog", "zz17"), ("watercolor_painting", "my water")):
        path = Path(shutil.copy(theirs / f"{stem}.safetensors", tmp_path / f"{new}.safetensors"))
        write_sidecar(
            path,
            ".metadata.json",
            {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": path.stat().st_size},
        )
        listed[new] = SimpleNamespace(
            name=new, filename=str(path), metadata={}, shorthash="", sd_version=None
        )
    return listed


@contextmanager
def at(
    stage: Stage, link: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[tuple[str, Any]]]:
    """The host asks this engine; everything that it sends there is seen."""
    from stylus_ext.host import compat
    from stylus_ext.host.planner import PlannerRegistry

    process = EngineProcess(stage.host.data_path / "nothing", url=link.url, token=TOKEN)
    process.inventory = HostInventory(compat.listed_files, compat.listing, compat.cached_sha256)
    planner = Planner(
        process,
        EngineClient(process),
        Remembered(stage.host.data_path),
        compat.interrupted,
        compat.show_progress,
    )
    monkeypatch.setattr("stylus_ext.host.planner.registry", PlannerRegistry(lambda: planner))
    sent: list[tuple[str, Any]] = []
    real = EngineLink.call

    def call(
        self: EngineLink, method: str, path: str, payload: Any = None, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        sent.append((path, payload))
        return real(self, method, path, payload, timeout_s)

    with monkeypatch.context() as patch:
        patch.setattr(EngineLink, "call", call)
        yield sent


def prompt_of(done: Any) -> str:
    return str(parse_generation_parameters(done.infotexts[0])["Prompt"])


def test_renamed_files_are_known_by_their_bytes(
    stage: Stage, ours: dict[str, Any], knowing: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(stage, knowing, monkeypatch):
        done = stage.host.api(ON, prompt=PROMPT)
        assert "<lora:zz17:" in prompt_of(done)
        assert "<lora:my water:" in prompt_of(done)
        again = stage.host.without_stylus(done.infotexts[0])
        assert again.pixels == done.images[0].pixels


def test_the_list_is_sent_once_and_again_when_it_changed(
    stage: Stage, ours: dict[str, Any], knowing: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(stage, knowing, monkeypatch) as sent:
        for prompt in (PROMPT, f"{PROMPT} at dawn", f"{PROMPT} at dusk"):
            stage.host.api(ON, prompt=prompt)
        assert [path for path, _ in sent] == ["/v1/inventory", *["/v1/generation"] * 3]
        assert all(
            payload.get("stems") is None and len(payload["inventory"]) < 64
            for path, payload in sent
            if path == "/v1/generation"
        )
        assert sorted(item["stem"] for item in sent[0][1]["items"]) == ["my water", "zz17"]
        sent.clear()
        del ours["zz17"]
        done = stage.host.api(ON, prompt=f"{PROMPT} at night")
        assert [path for path, _ in sent] == ["/v1/inventory", "/v1/generation"]
        assert "zz17" not in prompt_of(done)
        assert "<lora:my water:" in prompt_of(done)


def test_an_engine_that_has_forgotten_it_gets_it_again(
    stage: Stage, ours: dict[str, Any], knowing: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(stage, knowing, monkeypatch) as sent:
        stage.host.api(ON, prompt=PROMPT)
        for number in range(40):
            knowing.call(
                "POST", "/v1/inventory", {"items": [{"stem": f"of another WebUI {number}"}]}
            )
        sent.clear()
        done = stage.host.api(ON, prompt=f"{PROMPT} at dawn")
        assert [path for path, _ in sent] == ["/v1/generation", "/v1/inventory", "/v1/generation"]
        assert "<lora:zz17:" in prompt_of(done)


def test_an_engine_that_knows_none_of_them_changes_nothing_and_says_so(
    stage: Stage, ours: dict[str, Any], empty: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(stage, empty, monkeypatch):
        done = stage.host.api(ON, prompt=PROMPT)
        assert prompt_of(done) == PROMPT
        assert any("unchanged" in text for text in done.p.comments)


def test_the_name_of_the_engines_file_is_not_enough_where_the_family_is_another(
    stage: Stage, ours: dict[str, Any], knowing: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours.clear()
    ours["corgi_dog"] = SimpleNamespace(
        name="corgi_dog", filename="", metadata={}, shorthash="", sd_version="SDXL"
    )
    ours["watercolor_painting"] = SimpleNamespace(
        name="watercolor_painting", filename="", metadata={}, shorthash="", sd_version="SD1"
    )
    with at(stage, knowing, monkeypatch):
        prompt = prompt_of(stage.host.api(ON, prompt=PROMPT))
        assert "corgi_dog" not in prompt
        assert "<lora:watercolor_painting:" in prompt


def test_an_own_tag_by_the_hosts_name_is_known_and_not_added_again(
    stage: Stage, ours: dict[str, Any], knowing: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at(stage, knowing, monkeypatch):
        prompt = prompt_of(stage.host.api(ON, prompt=f"{PROMPT} <lora:zz17:0.5>"))
        assert prompt.count("zz17") == 1
        assert "<lora:my water:" in prompt


def test_what_is_always_wanted_is_asked_by_the_hosts_names(
    stage: Stage, ours: dict[str, Any], knowing: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowing.call("POST", "/v1/edit", {"key": "corgi_dog", "state": "always"})
    try:
        stage.host.model.is_sd1 = False
        with at(stage, knowing, monkeypatch) as sent:
            assert prompt_of(stage.host.api(ON, prompt="the sea")).startswith("the sea <lora:zz17:")
            assert [payload["stems"] for path, payload in sent if path == "/v1/generation"] == [
                ["zz17"]
            ]
    finally:
        knowing.call("POST", "/v1/edit", {"key": "corgi_dog", "state": "auto"})


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "inventory"),
        ({"items": [], "inventory": "x"}, "inventory"),
        ({"items": [{"sha256": "x"}]}, "stem"),
        ({"items": [{"stem": "x", "path": "/l"}]}, "path"),
        ({"items": ["x"]}, "items"),
        ({"items": [{"stem": "x" * 1025}]}, "stem"),
    ],
)
def test_a_wrong_inventory_is_refused_with_the_name_of_the_field(
    empty: EngineLink, payload: Any, field: str
) -> None:
    from stylus_ext.core.errors import EngineRefusal

    with pytest.raises(EngineRefusal, match=field) as caught:
        empty.call("POST", "/v1/inventory", payload)
    assert caught.value.code == "invalid"


def test_the_desk_of_a_shared_engine_has_a_shelf(
    stage: Stage, empty: EngineLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.planner import make_planner

    stage.host.opts.data["stylus_engine_url"] = empty.url
    engine = make_planner().engine
    assert isinstance(engine, EngineProcess)
    assert engine.inventory is not None
    assert engine.inventory.now().stems == set(stage.host.loras.available_networks)
