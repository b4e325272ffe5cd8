"""Pictures of probes made in the WebUI's process, with a real engine behind it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from stylus_ext.core.errors import Cancelled, InvalidInput, Unavailable
from stylus_ext.core.probing import ProbeSettings
from stylus_ext.host.guard import RequestKind, kind_of_job
from tests.evaluation.probes.probed import draw_with_loras
from tests.host.double.webui import Host

if TYPE_CHECKING:
    from stylus_ext.host.idle_work import IdleWork, Work

LONG_S = 20.0
SETTINGS = ProbeSettings("tiny", 48, 48, 2, weights=(0.0, 0.5, 1.0))
BASES, EACH = 6, 12
LORAS = [{"key": name, "name": name, "stem": name} for name in ("medium", "strong")]


class Engine:
    """The engine's operations, over a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[tuple[int, ...], str]] = {}
        self.measured: list[str] = []

    def ask(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        key = payload["key"]
        kept = self.kept.setdefault(key, {})
        if name == "probe_pictures":
            base = {place for of in self.kept.values() for place in of if not place[0]}
            places = [*SETTINGS.bases(), *SETTINGS.places()]
            missing = [
                {"weight": each.weight, "prompt": each.prompt, "seed": each.seed}
                for each in places
                if (each.weight, each.prompt, each.seed) not in {*kept, *base}
            ]
            return {"missing": missing, "pictures": len(places)}
        if name == "probe_picture":
            kept[payload["weight"], payload["prompt"], payload["seed"]] = payload["data"]
            return {}
        self.measured.append(key)
        return {"probe": {"trouble": "" if all(kept.values()) else "failed"}}


class Maker:
    """Makes pictures; `before` may raise."""

    def __init__(self) -> None:
        self.requests: list[Mapping[str, Any]] = []
        self.before: Callable[[Mapping[str, Any]], None] = lambda _: None

    def __call__(self, request: Mapping[str, Any]) -> bytes:
        assert sys.modules["modules.call_queue"].queue_lock.locked()
        self.requests.append(request)
        self.before(request)
        return draw_with_loras(request["prompt"], request["seed"])


@pytest.fixture
def idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IdleWork]:
    Host(tmp_path, monkeypatch)
    from stylus_ext.host.idle_work import IdleWork

    made = IdleWork(rest_s=0.0, quiet_s=0.01)
    yield made
    for work in made.all():
        made.cancel(work.id)
        assert work.ended.wait(LONG_S)


def begun(idle: IdleWork, engine: Engine, maker: Maker) -> Work:
    from stylus_ext.host.probing import ProbeWork

    probing = ProbeWork(engine.ask, SETTINGS, LORAS, maker)
    return idle.start("probe", probing.steps(), probing.pictures)


def test_all_pictures_are_made_kept_and_measured(idle: IdleWork) -> None:
    engine, maker = Engine(), Maker()
    work = begun(idle, engine, maker)
    assert work.ended.wait(LONG_S)
    assert work.state == "done"
    assert work.result == {"measured": 2, "troubles": [], "not_measured": []}
    assert work.done == work.total == 2 * EACH
    assert len(maker.requests) == BASES + 2 * EACH
    assert engine.measured == ["medium", "strong"]
    assert maker.requests[BASES]["prompt"].endswith("<lora:medium:0.5>")


def test_cancelled_work_goes_on_where_it_stopped(idle: IdleWork) -> None:
    engine, maker = Engine(), Maker()

    def stop(_: Mapping[str, Any]) -> None:
        if len(maker.requests) == BASES + 3:
            idle.cancel(idle.all()[-1].id)

    maker.before = stop
    work = begun(idle, engine, maker)
    assert work.ended.wait(LONG_S)
    assert work.state == "cancelled"
    assert not engine.measured
    work = begun(idle, engine, maker)
    assert work.ended.wait(LONG_S)
    assert (work.state, work.done) == ("done", work.total)
    assert len(maker.requests) in (BASES + 2 * EACH, BASES + 2 * EACH + 1)


def test_a_lora_with_which_no_picture_is_made_is_at_fault(idle: IdleWork) -> None:
    engine, maker = Engine(), Maker()

    def fail(request: Mapping[str, Any]) -> None:
        if "<lora:medium" in request["prompt"]:
            raise RuntimeError("NaN")

    maker.before = fail
    work = begun(idle, engine, maker)
    assert work.ended.wait(LONG_S)
    assert work.result == {"measured": 2, "troubles": ["medium"], "not_measured": []}
    assert len(maker.requests) == BASES + 2 * EACH + EACH


def test_a_webui_that_fails_later_is_not_held_against_the_lora(idle: IdleWork) -> None:
    engine, maker = Engine(), Maker()

    def fail(request: Mapping[str, Any]) -> None:
        is_medium = "<lora:medium" in request["prompt"]
        if is_medium or len(maker.requests) > BASES + 4:
            raise RuntimeError("out of memory")

    maker.before = fail
    work = begun(idle, engine, maker)
    assert work.ended.wait(LONG_S)
    assert work.state == "failed"
    assert not engine.measured
    assert list(engine.kept["medium"].values()).count("") == 2


def test_a_lora_that_changes_meanwhile_leaves_the_others(idle: IdleWork) -> None:
    engine, maker = Engine(), Maker()
    ask = engine.ask

    def changed(name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if name == "measure" and payload["key"] == "medium":
            raise InvalidInput("another file")
        return ask(name, payload)

    engine.ask = changed  # type: ignore[method-assign]
    work = begun(idle, engine, maker)
    assert work.ended.wait(LONG_S)
    assert work.result == {"measured": 1, "troubles": [], "not_measured": ["medium"]}


def test_a_webui_that_makes_no_picture_at_all_ends_the_work(idle: IdleWork) -> None:
    engine, maker = Engine(), Maker()

    def fail(_: Mapping[str, Any]) -> None:
        if len(maker.requests) > BASES:
            raise RuntimeError("out of memory")

    maker.before = fail
    work = begun(idle, engine, maker)
    assert work.ended.wait(LONG_S)
    assert work.state == "failed"
    assert not engine.measured
    assert len(engine.kept["medium"]) == BASES


class Processing:
    """`StableDiffusionProcessingTxt2Img`, as far as a picture needs it."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_a_picture_is_made_as_the_api_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Host(tmp_path, monkeypatch)
    from stylus_ext.host.probing import make_picture

    paths = SimpleNamespace(data_path=str(tmp_path))
    monkeypatch.setitem(sys.modules, "modules.paths", paths)
    monkeypatch.setattr(sys.modules["modules"], "paths", paths, raising=False)
    last_prompt = tmp_path / "params.txt"
    last_prompt.write_text("the user's", "utf-8")
    made: list[Processing] = []
    state: Any = sys.modules["modules.shared"].state
    calls: list[str] = []

    def begin(job: str) -> None:
        calls.append(job)

    monkeypatch.setattr(state, "begin", begin, raising=False)
    monkeypatch.setattr(state, "end", lambda: calls.append("end"), raising=False)
    for name in ("interrupted", "skipped"):
        monkeypatch.setattr(state, name, False, raising=False)
    monkeypatch.setattr(sys.modules["modules.shared"], "sd_model", object(), raising=False)

    def process_images(p: Processing) -> Any:
        made.append(p)
        last_prompt.write_text("a probe's", "utf-8")
        return SimpleNamespace(images=[Image.new("RGB", (8, 8), "red")])

    module = SimpleNamespace(
        StableDiffusionProcessingTxt2Img=Processing, process_images=process_images
    )
    monkeypatch.setitem(sys.modules, "modules.processing", module)
    request = SETTINGS.request(next(SETTINGS.places()), "medium")
    assert make_picture(request).startswith(b"\x89PNG")
    fields = made[0].fields
    assert request.items() <= fields.items()
    assert fields["do_not_save_samples"] is fields["do_not_save_grid"] is True
    assert made[0].is_closed
    assert last_prompt.read_text("utf-8") == "the user's"
    assert calls[-1] == "end"
    monkeypatch.setattr(state, "interrupted", True, raising=False)
    with pytest.raises(Cancelled):
        make_picture(request)
    assert calls[-1] == "end"


def test_a_job_of_the_engine_is_waited_for() -> None:
    from stylus_ext.host.probing import finished_job

    states = iter(["running", "done"])

    def poll(job_id: str) -> dict[str, Any]:
        return {"id": job_id, "state": next(states), "result": {"probe": 1}, "error": ""}

    job = {"id": "1", "state": "waiting"}
    assert finished_job(job, poll, lambda _: None) == {"probe": 1}
    failed = {"id": "1", "state": "failed", "error": "no", "result": None}
    with pytest.raises(Unavailable):
        finished_job(failed, poll, lambda _: None)


@pytest.mark.usefixtures("stage")
def test_the_page_is_told_why_nothing_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylus_ext.host.checkpoint import Finding
    from stylus_ext.host.web import probes
    from tests.host.test_ui_actions import Recorder, run

    assert kind_of_job("probe", {}) is RequestKind.CHANGE
    payload = {"name": "probe", "payload": {"keys": ["path:a"]}}
    with pytest.raises(InvalidInput):
        run("start", Recorder(remote=True), **payload)
    process = Recorder()
    monkeypatch.setattr(probes, "loaded_family", lambda _: Finding("unknown", "nothing"))
    with pytest.raises(InvalidInput):
        run("start", process, **payload)
    assert not process.asked
    monkeypatch.setattr(probes, "loaded_family", lambda _: Finding("sd1", "you said so"))
    process.answer = {"entries": [], "left_out": 0, "why_not": "Not installed."}
    with pytest.raises(Unavailable):
        run("start", process, **payload)
    process.answer["why_not"] = ""
    with pytest.raises(InvalidInput):
        run("start", process, **payload)
    wanted = process.asked[0]
    assert wanted[:2] == ("POST", "/v1/probes")
    assert wanted[2]["family"] == "sd1"
    assert wanted[2]["keys"] == ["path:a"]
