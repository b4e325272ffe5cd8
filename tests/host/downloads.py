"""What the tests of downloads need: a local Civitai whose cards are known to a real engine, and
hosts with folders of their own.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylus_ext.host.checkpoint import Remembered
from stylus_ext.host.engine.client import EngineClient
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.planner import Planner
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.embedding_server import EmbeddingServer
from tests.engine_process import endpoint_settings, finished
from tests.host.double.fixtures import Stage
from tests.host.double.processing import parse_generation_parameters
from tests.host.engines import HereSetup, never
from tests.lora_files import LORAS, safetensors_bytes

ON = {"enabled": True, "downloads": True}
BUCKET = r"^/bucket/%d/"
WORDS = (
    "zebrastripe",
    "quokkaville",
    "narwhalheim",
    "axolotlbay",
    "capybaraton",
    "okapiwood",
    "pangolinfell",
    "tapirmoor",
)
PATIENCE_S = 60.0


def number_of(word: str) -> int:
    """Its version at the local Civitai."""
    return 11 + WORDS.index(word)


def add_adapters(service: CivitaiService) -> None:
    """One for each of WORDS, which nothing else in the catalogue is called."""
    for word in WORDS:
        number = number_of(word)
        body = safetensors_bytes(LORAS["sd1"], {"ss_output_name": word}, number)
        version = a_version(
            number, files=[a_file(number, f"{word}.safetensors", body)], trainedWords=[word]
        )
        version["images"] = [{**version["images"][0], "id": place} for place in range(5)]
        service.add(
            a_model(number + 100, version, name=word.title(), description=f"<p>Draws {word}.</p>"),
            files={number: body},
        )


def write_settings(
    folder: Path, civitai: CivitaiService, vectors: EmbeddingServer, **downloads: Any
) -> None:
    settings = endpoint_settings(vectors.url) | {
        "civitai": {"civitai_url": civitai.api, "request_interval": 0.0},
        "downloads": {"download": True, "keep_free_gb": 0.0, **downloads},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")


@contextmanager
def beside(folder: Path) -> Iterator[EngineProcess]:
    """One more engine: others may run."""
    process = EngineProcess(folder, setup=HereSetup())
    try:
        assert process.wait_ready(PATIENCE_S, never)
        assert finished(process.link())["state"] == "done"
        yield process
    finally:
        process.stop()


@contextmanager
def fetching_engine(
    folder: Path, civitai: CivitaiService, vectors: EmbeddingServer, **downloads: Any
) -> Iterator[EngineProcess]:
    """A real one, which has read the local Civitai's catalogue."""
    write_settings(folder, civitai, vectors, **downloads)
    with beside(folder) as process:
        link = process.link()
        assert finished(link, link.call("POST", "/v1/jobs/sync", {})["id"])["state"] == "done"
        yield process


@pytest.fixture(scope="module")
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        add_adapters(service)
        yield service


@pytest.fixture(scope="module")
def process(
    civitai: CivitaiService, vectors: EmbeddingServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineProcess]:
    """One engine for all tests of a module."""
    with fetching_engine(tmp_path_factory.mktemp("fetching") / "data", civitai, vectors) as process:
        yield process


@dataclass
class Scene:
    """A host whose folder is real, an engine that may fetch into it, and what was asked of that."""

    stage: Stage
    process: EngineProcess
    civitai: CivitaiService
    folder: Path
    planner: Planner
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def make(self, prompt: str, stylus: Mapping[str, Any] = ON, **fields: Any) -> Any:
        return self.stage.host.api(dict(stylus), prompt=prompt, **fields)

    def prompts(self, done: Any) -> list[str]:
        return [str(parse_generation_parameters(text)["Prompt"]) for text in done.infotexts]

    def told(self, done: Any) -> str:
        return " ".join(done.p.comments)

    def downloads_of(self, word: str) -> int:
        """How often the storage was asked for it."""
        return len(
            [
                seen
                for seen in list(self.civitai.seen)
                if seen.on == "storage" and f"/{number_of(word)}/" in seen.path
            ]
        )

    def fetched(self) -> list[list[str]]:
        """The keys of each fetch that was asked for."""
        return [sorted(payload["keys"]) for path, payload in self.asked if path == "/v1/jobs/fetch"]

    def true(self, done: Any, **fields: Any) -> bool:
        """Whether each picture comes again with Stylus off from what its infotext says."""
        return all(
            self.stage.host.without_stylus(text, **fields).pixels == image.pixels
            for image, text in zip(done.images, done.infotexts, strict=True)
        )

    @contextmanager
    def meanwhile(
        self, when: Callable[[], object], then: Callable[[], object]
    ) -> Iterator[list[float]]:
        """Something that happens while a picture is made; when it happened."""
        over, at = threading.Event(), list[float]()

        def watch() -> None:
            while not over.wait(0.005):
                if when():
                    at.append(time.monotonic())
                    then()
                    return

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield at
        finally:
            over.set()
            thread.join()


def listing(stage: Stage) -> Callable[[], None]:
    """The built-in extension's own: the list is emptied, then made from the folder."""
    loras: Any = stage.host.loras

    def list_available_networks() -> None:
        loras.available_networks.clear()
        loras.available_network_aliases.clear()
        for path in sorted(Path(stage.host.cmd_opts.lora_dir).rglob("*.safetensors")):
            entry = SimpleNamespace(
                name=path.stem,
                alias=path.stem,
                filename=str(path),
                metadata={},
                shorthash="",
                sd_version=None,
            )
            loras.available_networks[path.stem] = loras.available_network_aliases[path.stem] = entry

    return list_available_networks


@contextmanager
def at(
    stage: Stage,
    process: EngineProcess,
    civitai: CivitaiService,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    from stylus_ext.environment.engine_link import EngineLink
    from stylus_ext.host import compat
    from stylus_ext.host.planner import PlannerRegistry

    folder.mkdir(exist_ok=True)
    stage.host.cmd_opts.lora_dir = str(folder)
    stage.host.opts.data |= {"stylus_warm_s": 30.0, "stylus_cold_s": 60.0}
    monkeypatch.setattr(
        sys.modules["networks"], "list_available_networks", listing(stage), raising=False
    )
    listing(stage)()
    planner = Planner(
        process,
        EngineClient(process),
        Remembered(stage.host.data_path),
        compat.interrupted,
        compat.show_progress,
    )
    monkeypatch.setattr("stylus_ext.host.planner.registry", PlannerRegistry(lambda: planner))
    scene = Scene(stage, process, civitai, folder, planner)
    real = EngineLink.call

    def call(
        self: EngineLink, method: str, path: str, payload: Any = None, timeout_s: float = 30.0
    ) -> dict[str, Any]:
        scene.asked.append((path, payload))
        return real(self, method, path, payload, timeout_s)

    with monkeypatch.context() as patch:
        patch.setattr(EngineLink, "call", call)
        yield scene
    civitai.faults.clear()
    civitai.rules.clear()


@pytest.fixture
def scene(
    stage: Stage,
    process: EngineProcess,
    civitai: CivitaiService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    civitai.seen.clear()
    with at(stage, process, civitai, tmp_path / "loras", monkeypatch) as scene:
        yield scene
