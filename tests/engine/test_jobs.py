from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput, StoreProblem, Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.engine import jobs as module
from stylus_ext.engine.jobs import FINISHED, Job, Jobs


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    jobs = Jobs()
    yield jobs
    jobs.close()


class Gate:
    """Work that reports, then waits until it may go on; it listens to a cancel while it waits."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()

    def __call__(self, progress: Progress) -> dict[str, Any]:
        progress.report("digging", 1, 4)
        self.begun.set()
        while not self.open.wait(0.005):
            progress.report("digging", 1, 4)
        return {"found": 3}


def ended(job: Job, within_s: float = 5.0) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while job.as_json()["state"] not in FINISHED:
        assert time.monotonic() < until, job.as_json()
        time.sleep(0.005)
    return job.as_json()


def test_a_job_runs_in_the_background_and_has_a_result(jobs: Jobs) -> None:
    gate = Gate()
    job = jobs.start("dig", gate)
    assert gate.begun.wait(5)
    seen = job.as_json()
    assert (seen["state"], seen["step"], seen["done"], seen["total"]) == (
        "running",
        "digging",
        1,
        4,
    )
    gate.open.set()
    assert ended(job) == {**seen, "state": "done", "result": {"found": 3}, "eta_s": None}
    assert jobs.get(job.id) is job


def test_the_remaining_time_is_that_of_the_step(jobs: Jobs) -> None:
    gate = Gate()
    job = jobs.start("dig", gate)
    assert gate.begun.wait(5)
    job.step_started = time.monotonic() - 10
    assert job.as_json()["eta_s"] == pytest.approx(30, abs=1)
    job.report("another step", 0, 4)
    assert job.as_json()["eta_s"] is None


def test_jobs_run_one_after_another_in_order(jobs: Jobs) -> None:
    order: list[int] = []

    def work(number: int) -> dict[str, Any]:
        order.append(number)
        return {}

    started = [
        jobs.start(f"job {number}", lambda progress, number=number: work(number))  # type: ignore[misc]
        for number in range(20)
    ]
    for job in started:
        ended(job)
    assert order == list(range(20))
    assert [job.name for job in jobs.all()] == [f"job {number}" for number in range(20)]


def test_a_running_job_is_cancelled_at_its_next_report(jobs: Jobs) -> None:
    gate = Gate()
    job = jobs.start("dig", gate)
    assert gate.begun.wait(5)
    jobs.cancel(job.id)
    answer = ended(job)
    assert answer["state"] == "cancelled"
    assert "what was finished stays" in answer["error"]


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(jobs: Jobs) -> None:
    gate, ran = Gate(), threading.Event()

    def never(progress: Progress) -> dict[str, Any]:
        ran.set()
        return {}

    first, second = jobs.start("dig", gate), jobs.start("never", never)
    assert gate.begun.wait(5)
    assert jobs.cancel(second.id).as_json()["state"] == "cancelled"
    assert first.as_json()["state"] == "running"
    gate.open.set()
    ended(first)
    ended(jobs.start("last", lambda progress: {}))
    assert not ran.is_set()


def test_a_finished_job_cannot_be_cancelled_any_more(jobs: Jobs) -> None:
    job = jobs.start("quick", lambda progress: {"made": 1})
    ended(job)
    assert jobs.cancel(job.id).as_json()["state"] == "done"


def test_a_stylus_error_is_the_error_of_the_job(jobs: Jobs) -> None:
    def work(progress: Progress) -> dict[str, Any]:
        raise StoreProblem("The disk is full.")

    answer = ended(jobs.start("index", work))
    assert (answer["state"], answer["error"], answer["result"]) == (
        "failed",
        "The disk is full.",
        None,
    )


def test_an_unexpected_error_shows_its_type_and_the_worker_goes_on(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    def work(progress: Progress) -> dict[str, Any]:
        raise ZeroDivisionError("secret details")

    answer = ended(jobs.start("index", work))
    assert answer["state"] == "failed"
    assert "ZeroDivisionError" in answer["error"]
    assert "secret" not in answer["error"]
    assert "secret details" in caplog.text
    assert ended(jobs.start("next", lambda progress: {}))["state"] == "done"


def test_only_the_last_finished_jobs_are_kept(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 5)
    started = []
    for number in range(12):
        started.append(jobs.start(str(number), lambda progress: {}))
        ended(started[-1])
    assert [job.name for job in jobs.all()] == ["7", "8", "9", "10", "11"]
    with pytest.raises(InvalidInput):
        jobs.get(started[0].id)


def test_a_finished_job_releases_its_request(jobs: Jobs) -> None:
    class Payload:
        """Something large."""

    payload = Payload()
    seen = weakref.ref(payload)

    def work(progress: Progress, held: Payload = payload) -> dict[str, Any]:
        return {}

    job = jobs.start("index", work)
    ended(job)
    del payload, work
    ended(jobs.start("next", lambda progress: {}))
    gc.collect()
    assert seen() is None


def test_the_number_of_waiting_jobs_is_limited(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    gate = Gate()
    for _ in range(3):
        jobs.start("dig", gate)
    with pytest.raises(Unavailable, match="waiting"):
        jobs.start("dig", gate)
    gate.open.set()


def test_closing_cancels_running_and_waiting_jobs() -> None:
    jobs, gate = Jobs(), Gate()
    started = [jobs.start("dig", gate), jobs.start("dig", gate)]
    assert gate.begun.wait(5)
    assert jobs.close()
    assert [job.as_json()["state"] for job in started] == ["cancelled", "cancelled"]
    with pytest.raises(Unavailable, match="stopping"):
        jobs.start("late", lambda progress: {})


def test_closing_reports_a_job_that_did_not_stop() -> None:
    jobs, begun, go_on = Jobs(), threading.Event(), threading.Event()

    def stubborn(progress: Progress) -> dict[str, Any]:
        begun.set()
        go_on.wait(5)
        return {}

    jobs.start("stubborn", stubborn)
    assert begun.wait(5)
    assert not jobs.close(wait_s=0.05)
    go_on.set()
    assert jobs.close()


def test_a_concurrent_job_does_not_wait_and_is_closed_too(jobs: Jobs) -> None:
    long, short = Gate(), Gate()
    first = jobs.start("sync", long)
    assert long.begun.wait(5)
    beside = jobs.start("fetch", short, concurrent=True)
    assert short.begun.wait(5), "though the worker is busy"
    short.open.set()
    assert ended(beside)["state"] == "done"
    assert first.as_json()["state"] == "running"
    endless = Gate()
    again = jobs.start("fetch", endless, concurrent=True)
    assert endless.begun.wait(5)
    assert jobs.close(5)
    assert (ended(first)["state"], ended(again)["state"]) == ("cancelled", "cancelled")
