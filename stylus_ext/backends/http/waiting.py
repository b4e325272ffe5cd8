"""Waiting that can be ended: a check per thread, a pause that asks it, and the pace at which an
origin is asked.
"""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from stylus_ext.backends.http.answers import Check, free

TICK_S = 0.05
_T = TypeVar("_T")


class Watch(threading.local):
    """Whom to ask in this thread, while it waits for a socket, whether to go on."""

    def __init__(self) -> None:
        self.check: Check = free

    @contextmanager
    def over(self, check: Check) -> Iterator[None]:
        before, self.check = self.check, check
        try:
            yield
        finally:
            self.check = before


def pause(seconds: float, check: Check) -> None:
    until = time.monotonic() + seconds
    while True:
        check()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(TICK_S, left))


def in_thread(work: Callable[[], _T], check: Check, discard: Callable[[_T], None]) -> _T:
    """What the system does not let go of, such as looking up a name: left to itself when the check
    ends the waiting.
    """
    done, found, failed = threading.Event(), list[_T](), list[BaseException]()
    left, guard = threading.Event(), threading.Lock()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001
            failed.append(error)
        else:
            with guard:
                found.append(result)
                unwanted = left.is_set()
            if unwanted:
                discard(result)
        done.set()

    threading.Thread(target=run, name="stylus-connect", daemon=True).start()
    try:
        while not done.wait(TICK_S):
            check()
    except BaseException:
        with guard:
            left.set()
            late = list(found)
        for result in late:
            discard(result)
        raise
    if failed:
        raise failed[0]
    return found[0]


class Pace:
    """At most one request each `interval_s`, whichever thread asks; who comes next is told when,
    then waits outside the lock.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next = 0.0
        self._guard = threading.Lock()

    def wait(self, check: Check) -> None:
        with self._guard:
            now = time.monotonic()
            mine = max(now, self._next)
            self._next = mine + self._interval_s
        pause(mine - now, check)


def retry_after(said: str) -> float | None:
    """The seconds that a server wants to be left alone: it says so many, or until when."""
    said = said.strip()
    if said.isascii() and said.isdigit() and len(said) < 10:  # noqa: PLR2004
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
