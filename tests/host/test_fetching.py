"""The wait for files itself, over a small engine whose job does as a test says: what is shown, what
ends it, and how fast.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import EngineGone, InvalidInput, Unavailable
from stylus_ext.core.fetching import MB
from stylus_ext.core.plan import MissingFile
from stylus_ext.host import fetching
from stylus_ext.host.fetching import FetchOutcome, FetchStopped, FetchUi

fetch: Any = fetching.fetch  # its client is a small one here

FILES = [
    MissingFile(AdapterKey("civitai", "1"), "Fox", "fox.safetensors", 150 * MB),
    MissingFile(AdapterKey("civitai", "2"), "Owl", "owl.safetensors", 36 * MB),
]
ONE = FILES[:1]


@dataclass
class Jobs:
    """An engine with one job, which goes through `states`; `held` names the call that it answers
    only once `free` is set.
    """

    states: list[Mapping[str, Any] | Exception]
    held: str = ""
    free: threading.Event = field(default_factory=threading.Event)
    begun: list[Mapping[str, Any]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def _hold(self, call: str) -> None:
        if self.held == call:
            self.free.wait(30)

    def begin(self, name: str, payload: Mapping[str, Any]) -> str:
        self._hold("begin")
        assert name == "fetch"
        self.begun.append(payload)
        return "00ff"

    def job(self, job_id: str) -> dict[str, Any]:
        self._hold("job")
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        if isinstance(state, Exception):
            raise state
        return {
            "id": job_id,
            "name": "fetch",
            "step": "",
            "done": 0,
            "total": None,
            "eta_s": None,
            "result": None,
            "error": "",
            **state,
        }

    def cancel(self, job_id: str) -> dict[str, Any]:
        self.cancelled.set()
        return {}


RUNNING: Mapping[str, Any] = {
    "state": "running",
    "step": "Fetching Fox",
    "done": 12 * MB,
    "total": 150 * MB,
    "eta_s": 46.4,
}


@dataclass
class Watched:
    said: list[str | None] = field(default_factory=list)
    interrupted: Callable[[], bool] = lambda: False
    skipped: Callable[[], bool] = lambda: False

    def ui(self, longest_s: float = 0.0) -> FetchUi:
        return FetchUi(self.said.append, self.interrupted, self.skipped, longest_s)


def done(
    fetched: list[dict[str, Any]], failed: list[dict[str, Any]] | None = None
) -> Mapping[str, Any]:
    return {"state": "done", "result": {"fetched": fetched, "failed": failed or []}}


def test_what_came_and_what_did_not() -> None:
    jobs = Jobs(
        [
            RUNNING,
            done(
                [{"key": "civitai:1", "stem": "fox", "size": 150 * MB, "new": True}],
                [{"key": "civitai:2", "text": "Owl is archived."}],
            ),
        ]
    )
    watched = Watched()
    came = fetch(jobs, FILES, ["/loras"], watched.ui())
    assert came == FetchOutcome(
        ({"key": "civitai:1", "stem": "fox", "size": 150 * MB, "new": True},),
        ("fox was fetched (150 MB).",),
        {"civitai:2": "Owl is archived."},
    )
    assert jobs.begun == [{"keys": ["civitai:1", "civitai:2"], "lora_dirs": ["/loras"]}]
    assert not jobs.cancelled.is_set()
    assert watched.said[0] == "Stylus: fetching Fox (150 MB) and Owl (36 MB)"
    assert watched.said[-1] is None


def test_the_line_has_megabytes_and_the_time_that_is_left() -> None:
    waits = {"state": "running", "step": "Waiting for another WebUI that fetches Fox", "done": 0}
    watched = Watched()
    fetch(
        Jobs(
            [
                waits,
                RUNNING,
                RUNNING,
                {**RUNNING, "eta_s": None},
                {**RUNNING, "eta_s": 0.2},
                done([]),
            ]
        ),
        ONE,
        [],
        watched.ui(),
    )
    lines = list(dict.fromkeys(watched.said))
    assert "Stylus: fetching Fox (150 MB): waiting for another WebUI that fetches Fox" in lines
    assert "Stylus: fetching Fox (150 MB): 12.0 of 150.0 MB, about 46 s left" in lines
    assert "Stylus: fetching Fox (150 MB): 12.0 of 150.0 MB" in lines
    assert "Stylus: fetching Fox (150 MB): 12.0 of 150.0 MB, about 1 s left" in lines


HELD = pytest.mark.parametrize("held", ["", "begin", "job"])


def interrupted_after(seconds: float) -> tuple[float, Watched]:
    pressed_at = time.monotonic() + seconds
    return pressed_at, Watched(interrupted=lambda: time.monotonic() >= pressed_at)


@HELD
def test_interrupt_is_heeded_even_while_the_engine_does_not_answer(held: str) -> None:
    jobs, (_, watched) = Jobs([RUNNING], held), interrupted_after(0.3)
    with pytest.raises(FetchStopped, match=r"Fox .150 MB."):
        fetch(jobs, ONE, [], watched.ui())
    assert watched.said[-1] is None
    assert held != "begin" or not jobs.cancelled.is_set()
    jobs.free.set()
    assert jobs.cancelled.wait(10), "the engine is told, whenever it can hear it"


@pytest.mark.long
@HELD
def test_interrupt_is_heeded_within_200_ms(held: str) -> None:
    jobs, (pressed_at, watched) = Jobs([RUNNING], held), interrupted_after(0.3)
    with pytest.raises(FetchStopped):
        fetch(jobs, ONE, [], watched.ui())
    assert time.monotonic() - pressed_at < 0.2
    jobs.free.set()


def test_skip_ends_the_wait_and_not_the_picture() -> None:
    jobs, watched = Jobs([RUNNING]), Watched(skipped=lambda: True)
    came = fetch(jobs, FILES, [], watched.ui())
    assert set(came.failed) == {"civitai:1", "civitai:2"}
    assert came.failed["civitai:2"] == "Owl was skipped; the partial file is kept and will resume."
    assert jobs.cancelled.wait(10)


def test_the_wait_ends_when_it_may_not_go_on() -> None:
    began = time.monotonic()
    came = fetch(Jobs([RUNNING]), ONE, [], Watched().ui(longest_s=0.3))
    assert time.monotonic() - began >= 0.3
    assert "0.005 minutes" in came.failed["civitai:1"]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (
            {"state": "failed", "error": "The disk is full."},
            "Fox was not fetched: The disk is full.",
        ),
        (
            {
                "state": "cancelled",
                "error": "fetch was stopped, as you asked; what was finished stays.",
            },
            "was stopped, as you asked",
        ),
        ({"state": "failed"}, "Fox was not fetched: the engine did not say why."),
        (
            EngineGone("Nobody answers."),
            "stopped answering; the partial file is kept and will resume.",
        ),
        (Unavailable("The engine is stopping."), "Fox was not fetched: The engine is stopping."),
        (InvalidInput("There is no job '00ff' any more."), "There is no job '00ff' any more."),
        ({"state": "failed", "error": "Is it running?"}, "Fox was not fetched: Is it running?"),
    ],
)
def test_however_it_ends_there_is_a_sentence(end: Mapping[str, Any] | Exception, said: str) -> None:
    came = fetch(Jobs([RUNNING, end]), ONE, [], Watched().ui())
    assert said in came.failed["civitai:1"]
    assert not came.files
    assert "?." not in came.failed["civitai:1"]


def test_a_long_sentence_is_cut_to_what_the_engine_reads() -> None:
    came = fetch(Jobs([{"state": "failed", "error": "x" * 5000}]), ONE, [], Watched().ui())
    assert len(came.failed["civitai:1"]) <= 2000
