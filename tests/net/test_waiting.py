from __future__ import annotations

import threading
import time

import pytest

from stylus_ext.core.errors import Cancelled
from stylus_ext.net import waiting
from stylus_ext.net.waiting import (
    TICK_S,
    Pace,
    ThreadCheck,
    TimeLimits,
    in_thread,
    is_temporary,
    no_check,
    pause,
)
from tests.stops import StopAfter


class Clock:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now, self.slept = 100.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def test_a_pause_lasts_as_long_as_it_says(clock: Clock) -> None:
    pause(0.12, no_check)
    assert sum(clock.slept) == pytest.approx(0.12)


def test_a_pause_asks_every_50_ms_even_when_it_is_none(clock: Clock) -> None:
    with pytest.raises(Cancelled):
        pause(30, StopAfter(2))
    assert clock.slept == [TICK_S, TICK_S]
    assert TICK_S == 0.05
    with pytest.raises(Cancelled):
        pause(0, StopAfter(0))


def test_each_thread_has_its_own_check_and_gets_the_former_back() -> None:
    watch, other = ThreadCheck(), list[object]()
    mine = StopAfter(9)
    with watch.using(mine):
        thread = threading.Thread(target=lambda: other.append(watch.check))
        thread.start()
        thread.join()
        assert watch.check is mine
    assert watch.check is no_check
    assert other == [no_check]


def test_work_in_a_thread_gives_its_result_or_its_error() -> None:
    assert in_thread(lambda: 7, no_check, lambda _: None) == 7
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 / 0, no_check, lambda _: None)


def test_what_comes_after_a_stop_is_discarded() -> None:
    go, late = threading.Event(), list[int]()

    def work() -> int:
        go.wait(5)
        return 7

    with pytest.raises(Cancelled):
        in_thread(work, StopAfter(1), late.append)
    go.set()
    until = time.monotonic() + 5
    while not late and time.monotonic() < until:
        time.sleep(0.01)
    assert late == [7]


def test_the_first_of_a_pace_does_not_wait(clock: Clock) -> None:
    pace = Pace(0.2)
    pace.wait(no_check)
    assert clock.slept == []
    pace.wait(no_check)
    assert sum(clock.slept) == pytest.approx(0.2)
    clock.now += 0.25
    clock.slept.clear()
    pace.wait(no_check)
    assert clock.slept == [], "what was not used is not owed"


def test_pauses_before_a_retry_grow_and_follow_the_server() -> None:
    limits = TimeLimits(tries=9, first_pause_s=0.5, longest_pause_s=8.0, longest_retry_after_s=60)
    pauses = [limits.pause_before_retry(attempt) or 0.0 for attempt in range(1, 9)]
    assert 0.37 < pauses[0] <= 0.5
    assert 0.75 <= pauses[1] <= 1.0
    assert 6.0 <= pauses[7] <= 8.0
    assert limits.pause_before_retry(1, 7.0) == 7.0
    assert limits.pause_before_retry(1, 61.0) is None


def test_there_is_no_retry_without_tries_or_time_left() -> None:
    assert TimeLimits().tries == 3
    assert TimeLimits().pause_before_retry(3) is None
    assert TimeLimits(first_pause_s=1.0).pause_before_retry(1, left_s=0.5) is None
    assert TimeLimits().pause_before_retry(1, 10.0, left_s=9.0) is None


@pytest.mark.parametrize(
    ("status", "temporary"),
    [
        (408, True),
        (429, True),
        (500, True),
        (599, True),
        (400, False),
        (409, False),
        (425, False),
        (404, False),
        (302, False),
    ],
)
def test_what_may_pass(status: int, temporary: bool) -> None:
    assert is_temporary(status) == temporary
