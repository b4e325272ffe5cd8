"""Descriptions from pictures by the host's interrogators: which are there, and the work itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from stylus_ext.core.errors import Unavailable
from tests.host.double.webui import Host

if TYPE_CHECKING:
    from stylus_ext.host.idle_work import IdleWork, Work

LONG_S = 20.0


class Blip:
    """A1111's `InterrogateModels`, as far as a caption needs it."""

    def __init__(self) -> None:
        self.blip_model: Any = None
        self.clip_model: Any = None
        self.running_on_cpu = True
        self.calls: list[str] = []
        self.dtype: Any = None
        self.error: Exception | None = None

    def load_blip_model(self) -> Any:
        self.calls.append("load")
        if self.error is not None:
            raise self.error
        weights = SimpleNamespace(dtype="float32")
        model = SimpleNamespace(parameters=lambda: iter([weights]))
        model.to = lambda device: model
        return model

    def generate_caption(self, image: Any) -> str:
        self.calls.append("caption")
        assert host_module("call_queue").queue_lock.locked()
        assert image.mode == "RGB"
        return "a red fox in the snow near a river"

    def send_blip_to_ram(self) -> None:
        self.calls.append("to ram")


class Tagger:
    """`modules.deepbooru.model` of all hosts that have it."""

    def __init__(self) -> None:
        self.model: Any = None
        self.errors: list[Exception] = []
        self.seen = 0

    def load(self) -> None:
        self.model = object()

    def start(self) -> None:
        self.load()

    def stop(self) -> None:
        assert self.model is not None

    def tag_multi(self, image: Any, force_disable_ranks: bool = False) -> str:
        assert force_disable_ranks
        self.seen += 1
        if self.errors:
            raise self.errors.pop(0)
        return "red fox, snow"


class Engine:
    """The engine's two operations over a list of pictures."""

    def __init__(self, pictures: Mapping[str, list[Path]]) -> None:
        self.pictures = {
            key: {str(path): ["blip", "deepbooru"] for path in paths}
            for key, paths in pictures.items()
        }
        self.captions: dict[str, dict[str, str]] = {}
        self.known: dict[str, list[str]] = {}
        self.described: list[str] = []

    def ask(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "caption_targets":
            targets = [
                {
                    "key": key,
                    "name": key,
                    "pictures": [
                        {"path": path, "lacks": lacks} for path, lacks in of_key.items() if lacks
                    ],
                }
                for key, of_key in self.pictures.items()
                if key not in self.described
            ]
            pictures = sum(len(target["pictures"]) for target in targets)
            return {"adapters": len(targets), "pictures": pictures, "targets": targets}
        key, path = payload["key"], payload.get("path")
        if path is None:
            self.described.append(key)
            return {"known": [], "described": True}
        if payload.get("captions") is None:
            return {"known": self.known.get(payload["sha256"], []), "described": False}
        if not payload.get("sha256"):
            self.pictures[key][path] = []
        for name, text in payload["captions"].items():
            self.pictures[key][path] = [
                other for other in self.pictures[key][path] if other != name
            ]
            self.captions.setdefault(path, {})[name] = text
        return {"known": [], "described": False}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, monkeypatch)
    monkeypatch.setattr(made.cmd_opts, "no_half", True, raising=False)
    made._module("modules.paths_internal", models_path=str(tmp_path / "models"))
    return made


@pytest.fixture
def blip(host: Host, monkeypatch: pytest.MonkeyPatch) -> Blip:
    found = Blip()
    module = sys.modules[__name__]
    devices = SimpleNamespace(torch_gc=bool, device_interrogate="cpu")
    monkeypatch.setattr(module, "devices", devices, raising=False)
    lowvram = SimpleNamespace(send_everything_to_cpu=bool)
    monkeypatch.setattr(module, "lowvram", lowvram, raising=False)
    monkeypatch.setattr(host_module("shared"), "interrogator", found)
    return found


@pytest.fixture
def tagger(host: Host, monkeypatch: pytest.MonkeyPatch) -> Tagger:
    found = Tagger()
    module: Any = ModuleType("modules.deepbooru")
    module.model = found
    monkeypatch.setitem(sys.modules, "modules.deepbooru", module)
    return found


@pytest.fixture
def weights(host: Host, tmp_path: Path) -> None:
    for name in ("BLIP/blip.pth", "torch_deepdanbooru/tags.pt"):
        path = tmp_path / "models" / name
        path.parent.mkdir(parents=True)
        path.touch()


@pytest.fixture
def idle(host: Host) -> Iterator[IdleWork]:
    from stylus_ext.host.idle_work import IdleWork

    made = IdleWork(rest_s=0.001, quiet_s=0.01)
    yield made
    for work in made.all():
        made.cancel(work.id)
        assert work.ended.wait(LONG_S)


def host_module(name: str) -> Any:
    return sys.modules[f"modules.{name}"]


def painted(folder: Path, name: str, size: tuple[int, int] = (8, 8)) -> Path:
    path = folder / f"{name}.png"
    Image.new("RGBA", size, (200, 30, len(name))).save(path)
    return path


def captioned(idle: IdleWork, engine: Engine) -> Work:
    from stylus_ext.host import interrogators
    from stylus_ext.host.captioning import Captioning

    return idle.start("caption", Captioning(engine.ask, interrogators.available()).steps())


def test_hosts_without_interrogators_offer_none(host: Host) -> None:
    from stylus_ext.host import interrogators

    assert interrogators.available() == []


def test_a1111_has_both(blip: Blip, tagger: Tagger) -> None:
    from stylus_ext.host import interrogators

    assert [one.name for one in interrogators.available()] == ["blip", "deepbooru"]
    assert not any(one.weights.is_on_disk() for one in interrogators.available())


@pytest.mark.usefixtures("weights")
def test_each_picture_is_captioned_by_both_under_the_queues_lock(
    blip: Blip, tagger: Tagger, idle: IdleWork, tmp_path: Path
) -> None:
    paths = [painted(tmp_path, "a"), painted(tmp_path, "bb", (3000, 40))]
    engine = Engine({"path:fox": paths})
    work = captioned(idle, engine)
    assert work.ended.wait(LONG_S)
    assert work.state == "done", work.error
    expected = {"blip": "a red fox in the snow near a river", "deepbooru": "red fox, snow"}
    assert engine.captions == {str(path): expected for path in paths}
    assert engine.described == ["path:fox"]
    counts = {"described": 1, "captioned": 4, "unreadable": 0, "failed": 0}
    assert work.result == {**counts, "notes": []}
    assert work.done == 2
    assert blip.calls.count("load") == 1
    assert blip.calls.count("to ram") == 2, "the GPU is free between steps"
    assert blip.blip_model is None, "what was loaded for this is freed"
    assert tagger.model is None


@pytest.mark.usefixtures("weights")
def test_models_that_the_user_had_loaded_stay(
    blip: Blip, tagger: Tagger, idle: IdleWork, tmp_path: Path
) -> None:
    blip.blip_model = blip.load_blip_model()
    tagger.load()
    assert captioned(idle, Engine({"path:fox": [painted(tmp_path, "a")]})).ended.wait(LONG_S)
    assert blip.blip_model is not None
    assert tagger.model is not None


@pytest.mark.usefixtures("weights", "blip")
def test_known_contents_are_not_looked_at_again(
    tagger: Tagger, idle: IdleWork, tmp_path: Path
) -> None:
    import hashlib

    path = painted(tmp_path, "a")
    engine = Engine({"path:fox": [path]})
    engine.known[hashlib.sha256(path.read_bytes()).hexdigest()] = ["deepbooru"]
    work = captioned(idle, engine)
    assert work.ended.wait(LONG_S)
    assert tagger.seen == 0
    assert set(engine.captions[str(path)]) == {"blip"}


@pytest.mark.usefixtures("weights", "blip", "tagger")
def test_a_broken_picture_is_marked_and_the_work_goes_on(idle: IdleWork, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    engine = Engine({"path:a": [broken, tmp_path / "gone.png"], "path:b": [painted(tmp_path, "b")]})
    work = captioned(idle, engine)
    assert work.ended.wait(LONG_S)
    assert work.result is not None
    assert (work.state, work.result["unreadable"]) == ("done", 2)
    assert "path:b" in engine.described
    assert engine.pictures["path:a"] == {str(broken): [], str(tmp_path / "gone.png"): []}


@pytest.mark.usefixtures("weights", "tagger")
def test_the_other_interrogator_goes_on_where_one_cannot_be_loaded(
    blip: Blip, idle: IdleWork, tmp_path: Path
) -> None:
    blip.error = OSError("Can't load tokenizer for 'bert-base-uncased'.")
    paths = [painted(tmp_path, "a"), painted(tmp_path, "bb")]
    engine = Engine({"path:fox": paths})
    work = captioned(idle, engine)
    assert work.ended.wait(LONG_S)
    assert work.state == "done", work.error
    assert work.result is not None
    assert [note["code"] for note in work.result["notes"]] == ["no_interrogator"]
    assert [set(engine.captions[str(path)]) for path in paths] == [{"deepbooru"}] * 2
    assert blip.calls.count("load") == 1


@pytest.mark.usefixtures("weights")
def test_weights_that_cannot_be_loaded_end_the_work_with_one_sentence(
    blip: Blip, idle: IdleWork, tmp_path: Path
) -> None:
    blip.error = OSError("Can't load tokenizer for 'bert-base-uncased'.\nIf you were trying ...")
    work = captioned(idle, Engine({"path:fox": [painted(tmp_path, "a")]}))
    assert work.ended.wait(LONG_S)
    assert work.state == "failed"
    assert "BLIP" in work.error
    assert "\n" not in work.error
    assert not host_module("call_queue").queue_lock.locked()


@pytest.mark.usefixtures("weights", "blip")
def test_one_failure_skips_the_picture_and_three_in_a_row_end_the_work(
    tagger: Tagger, idle: IdleWork, tmp_path: Path
) -> None:
    paths = [painted(tmp_path, name) for name in ("a", "bb", "ccc")]
    tagger.errors = [RuntimeError("odd picture")]
    engine = Engine({"path:fox": paths})
    work = captioned(idle, engine)
    assert work.ended.wait(LONG_S)
    assert work.result is not None
    assert (work.state, work.result["failed"]) == ("done", 1)
    assert [len(engine.captions[str(path)]) for path in paths] == [1, 2, 2]


@pytest.mark.usefixtures("weights")
def test_three_failures_in_a_row_end_the_work(
    tagger: Tagger, idle: IdleWork, tmp_path: Path
) -> None:
    paths = [painted(tmp_path, name) for name in ("a", "bb", "ccc", "dddd")]
    tagger.errors = [RuntimeError("CUDA out of memory")] * 9
    work = captioned(idle, Engine({"path:fox": paths}))
    assert work.ended.wait(LONG_S)
    assert (work.state, tagger.seen) == ("failed", 3)


@pytest.mark.usefixtures("tagger")
def test_missing_weights_are_downloaded_by_the_host_without_its_queue(
    idle: IdleWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def load_models(**more: Any) -> list[str]:
        asked.append({**more, "held": host_module("call_queue").queue_lock.locked()})
        folder = Path(more["model_path"])
        folder.mkdir(parents=True)
        (folder / more["download_name"]).touch()
        return []

    module: Any = ModuleType("modules.modelloader")
    module.load_models = load_models
    monkeypatch.setitem(sys.modules, "modules.modelloader", module)
    work = captioned(idle, Engine({"path:fox": [painted(tmp_path, "a")]}))
    assert work.ended.wait(LONG_S)
    assert work.state == "done", work.error
    assert [(one["held"], one["download_name"]) for one in asked] == [
        (False, "model-resnet_custom_v3.pt")
    ]


@pytest.mark.usefixtures("tagger")
def test_a_failed_download_ends_the_work_with_one_sentence(
    idle: IdleWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType("modules.modelloader")
    module.load_models = lambda **_: []
    monkeypatch.setitem(sys.modules, "modules.modelloader", module)
    work = captioned(idle, Engine({"path:fox": [painted(tmp_path, "a")]}))
    assert work.ended.wait(LONG_S)
    assert work.state == "failed"
    assert "model-resnet_custom_v3.pt" in work.error


@pytest.mark.usefixtures("weights")
def test_the_users_picture_comes_first_and_a_cancel_keeps_what_is_there(
    host: Host,
    tagger: Tagger,
    idle: IdleWork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = [painted(tmp_path, name) for name in ("a", "bb", "ccc")]
    engine = Engine({"path:fox": paths})
    host.state.job = "txt2img"
    work = captioned(idle, engine)
    time.sleep(0.1)
    assert (tagger.seen, work.as_json()["state"]) == (0, "waiting")
    seen: Callable[..., str] = tagger.tag_multi

    def once(image: Any, **more: Any) -> str:
        host.state.job = "txt2img"
        return seen(image, **more)

    monkeypatch.setattr(tagger, "tag_multi", once)
    host.state.job = ""
    until = time.monotonic() + LONG_S
    while not engine.captions and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(0.1)
    assert len(engine.captions) == 1
    idle.cancel(work.id)
    assert work.ended.wait(LONG_S)
    assert (work.state, len(engine.captions)) == ("cancelled", 1)


def test_errors_become_one_sentence(host: Host) -> None:
    from stylus_ext.host.interrogators import DeepBooru, attempt

    def fail() -> None:
        raise RuntimeError

    with pytest.raises(Unavailable):
        attempt(DeepBooru(Tagger()), fail, "loaded")
