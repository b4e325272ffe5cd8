from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from stylus_ext.catalogue.sync import Prefetch
from stylus_ext.core.errors import Cancelled


def test_the_next_is_fetched_while_this_one_is_worked_on() -> None:
    fetched: list[int] = []

    def fetch(number: int) -> Callable[[Callable[[], None]], int]:
        def work(check: Callable[[], None]) -> int:
            check()
            fetched.append(number)
            return number

        return work

    with Prefetch[int]() as ahead:
        ahead.begin(fetch(1))
        assert ahead.result(lambda: None) == 1
        ahead.begin(fetch(2))
        until = time.monotonic() + 5
        while len(fetched) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert fetched == [1, 2], "before anybody waits for it"
        assert ahead.result(lambda: None) == 2


def test_an_error_of_the_fetching_is_the_callers() -> None:
    def broken(check: Callable[[], None]) -> int:
        raise ZeroDivisionError

    with Prefetch[int]() as ahead:
        ahead.begin(broken)
        with pytest.raises(ZeroDivisionError):
            ahead.result(lambda: None)


def test_a_stop_while_waiting_ends_the_fetching_too() -> None:
    ended = threading.Event()

    def waiting(check: Callable[[], None]) -> int:
        try:
            while True:
                check()
                time.sleep(0.01)
        finally:
            ended.set()

    def tick() -> None:
        raise Cancelled("Stopped, as you asked.")

    def read() -> None:
        with Prefetch[int]() as ahead:
            ahead.begin(waiting)
            ahead.result(tick)

    with pytest.raises(Cancelled):
        read()
    assert ended.is_set()


def test_nothing_comes_of_nothing() -> None:
    with Prefetch[int]() as ahead, pytest.raises(Cancelled):
        ahead.result(lambda: None)
