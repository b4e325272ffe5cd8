"""Work in idle time: it waits for the user's pictures, and they for one step at most."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stylus_ext.core.errors import InvalidInput, Unavailable
from tests.host.double.webui import Host

if TYPE_CHECKING:  # imported by the fixture, after the modules of the host are there
    from stylus_ext.host.idle_work import IdleWork, Step

LONG_S = 20.0


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


@pytest.fixture
def idle(host: Host) -> Iterator[IdleWork]:
    from stylus_ext.host.idle_work import IdleWork

    made = IdleWork(rest_s=0.001, quiet_s=0.02)
    yield made
    for work in made.all():
        made.cancel(work.id)
        assert work.ended.wait(LONG_S)
    assert queue_lock().acquire(False), "the queue's lock was kept"
    queue_lock().release()


def host_module(name: str) -> Any:
    return sys.modules[f"modules.{name}"]


def queue_lock() -> Any:
    return host_module("call_queue").queue_lock


def step(call: Callable[[], Any], **more: Any) -> Step:
    from stylus_ext.host.idle_work import Step

    return Step(call, **more)


def counting(done: list[int], steps: int) -> Any:
    def work() -> Any:
        for number in range(steps):
            done.append((yield step(partial(int, number))))
        return {"counted": len(done)}

    return work()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.002)


def test_all_steps_run_under_the_hosts_lock_and_their_results_come_back(idle: IdleWork) -> None:
    held, free = [], []

    def steps() -> Any:
        for _ in range(3):
            held.append((yield step(queue_lock().locked)))
            free.append(queue_lock().locked())
        return {"made": 3}

    work = idle.start("render", steps(), total=3)
    assert work.ended.wait(LONG_S)
    assert (work.state, work.done, work.result) == ("done", 3, {"made": 3})
    assert (held, free) == ([True] * 3, [False] * 3)


def test_a_step_that_uses_the_hosts_api_does_not_hold_the_lock(idle: IdleWork) -> None:
    held = []

    def steps() -> Any:
        held.append((yield step(queue_lock().locked, holds_queue=False)))

    assert idle.start("render", steps()).ended.wait(LONG_S)
    assert held == [False]


@pytest.mark.parametrize("sign", ["job", "task", "pending", "lock"])
def test_it_waits_for_the_users_picture_and_goes_on_after_it(
    host: Host, idle: IdleWork, sign: str
) -> None:
    progress = host_module("progress")

    def user(busy: bool) -> None:
        if sign == "job":
            host.state.job = "txt2img" if busy else ""
        elif sign == "task":
            progress.current_task = "task(a)" if busy else None
        elif sign == "pending":
            progress.pending_tasks = {"task(a)": 1.0} if busy else {}
        elif busy:
            queue_lock().acquire()
        else:
            queue_lock().release()

    done: list[int] = []
    user(True)
    work = idle.start("count", counting(done, 3))
    time.sleep(0.15)
    assert (done, work.state) == ([], "waiting")
    user(False)
    assert work.ended.wait(LONG_S)
    assert done == [0, 1, 2]


def test_a_user_waits_for_the_running_step_only(idle: IdleWork) -> None:
    started, let = threading.Event(), threading.Event()
    done: list[int] = []

    def slow(number: int) -> int:
        started.set()
        let.wait(LONG_S)
        return number

    def steps() -> Any:
        for number in range(20):
            done.append((yield step(partial(slow, number))))

    work = idle.start("slow", steps())
    assert started.wait(LONG_S)
    seen: list[int] = []

    def picture() -> None:
        host_module("progress").pending_tasks = {"task(a)": 1.0}
        with queue_lock():
            seen.append(len(done))
            time.sleep(0.1)
            seen.append(len(done))
            host_module("progress").pending_tasks = {}

    user = threading.Thread(target=picture)
    user.start()
    time.sleep(0.05)
    let.set()
    user.join(LONG_S)
    assert seen[1] == 1, "one step, the one that ran, was before the picture"
    assert work.ended.wait(LONG_S)
    assert len(done) == 20


def test_many_pictures_without_a_task_get_the_lock_between_steps(idle: IdleWork) -> None:
    """Hosts before tasks had names: the lock alone tells that a picture is made."""
    done: list[int] = []
    work = idle.start("count", counting(done, 40))
    for _ in range(10):
        with queue_lock():
            before = len(done)
            time.sleep(0.005)
            assert len(done) <= before + 1  # a result may still have been on its way back
    assert work.ended.wait(LONG_S)
    assert len(done) == 40


def test_a_cancel_stops_before_the_next_step_and_closes_the_work(idle: IdleWork) -> None:
    closed = threading.Event()
    running = threading.Event()

    def steps() -> Any:
        try:
            while True:
                yield step(running.set)
        finally:
            closed.set()

    work = idle.start("endless", steps())
    assert running.wait(LONG_S)
    idle.cancel(work.id)
    assert work.ended.wait(LONG_S)
    assert work.state == "cancelled"
    assert work.error
    assert closed.is_set()


def test_work_that_waits_can_be_cancelled(host: Host, idle: IdleWork) -> None:
    host.state.job = "txt2img"
    done: list[int] = []
    work = idle.start("count", counting(done, 3))
    idle.cancel(work.id)
    assert work.ended.wait(LONG_S)
    assert (work.state, done) == ("cancelled", [])


def test_one_at_a_time(host: Host, idle: IdleWork) -> None:
    host.state.job = "txt2img"
    first = idle.start("first", counting([], 1))
    with pytest.raises(Unavailable):
        idle.start("second", counting([], 1))
    host.state.job = ""
    assert first.ended.wait(LONG_S)
    second = idle.start("second", counting([], 1))
    assert second.ended.wait(LONG_S)
    assert [work.name for work in idle.all()] == ["first", "second"]
    assert idle.get(second.id) is second
    with pytest.raises(InvalidInput):
        idle.get("ab")


def fail() -> Any:
    raise RuntimeError("CUDA out of memory")


def test_an_error_of_a_step_ends_the_work_with_one_sentence(idle: IdleWork) -> None:
    def steps() -> Any:
        yield step(fail)

    work = idle.start("render", steps())
    assert work.ended.wait(LONG_S)
    assert work.state == "failed"
    assert work.error
    assert "\n" not in work.error
    again = idle.start("count", counting([], 1))
    assert again.ended.wait(LONG_S)
    assert again.state == "done"


def test_a_sentence_for_the_user_is_kept(idle: IdleWork) -> None:
    def steps() -> Any:
        yield step(lambda: 1)
        raise Unavailable("The weights are not there.")

    work = idle.start("render", steps())
    assert work.ended.wait(LONG_S)
    assert (work.state, work.error) == ("failed", "The weights are not there.")


def test_work_may_go_on_after_an_error_of_a_step(idle: IdleWork) -> None:
    skipped = []

    def steps() -> Any:
        try:
            yield step(fail)
        except RuntimeError as problem:
            skipped.append(str(problem))
        yield step(lambda: 1)
        return {"skipped": len(skipped)}

    work = idle.start("render", steps(), total=2)
    assert work.ended.wait(LONG_S)
    assert (work.state, work.result, work.done) == ("done", {"skipped": 1}, 1)


def test_a_task_that_exits_does_not_keep_the_lock(
    idle: IdleWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def leave() -> Any:
        raise SystemExit

    def steps() -> Any:
        yield step(leave)

    work = idle.start("render", steps())
    assert work.ended.wait(LONG_S)
    assert work.state == "failed"
    assert not queue_lock().locked()


def test_it_reports_in_the_fields_of_the_engines_jobs(idle: IdleWork) -> None:
    from stylus_ext.engine.jobs import Job

    work = idle.start("count", counting([], 2), total=2)
    assert set(work.as_json()) == set(Job("a", "count", None).as_json())
    assert work.ended.wait(LONG_S)
    assert work.as_json()["done"] == work.as_json()["total"] == 2
