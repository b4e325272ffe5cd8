"""Waiting that a caller can end: checks, pauses, the pace of requests, and when to try again."""

from __future__ import annotations

import email.utils
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

Check = Callable[[], None]
"""Called while waiting; it ends the wait by raising, for example `Cancelled`."""

TICK_S = 0.05
_T = TypeVar("_T")


def no_check() -> None:
    """The check of a wait that nothing ends early."""


def pause(seconds: float, check: Check) -> None:
    """Sleep, and call `check` every 50 ms and at least once."""
    until = time.monotonic() + seconds
    while True:
        check()
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(TICK_S, left))


class ThreadCheck(threading.local):
    """The check of the current thread; sockets call it while they wait."""

    def __init__(self) -> None:
        self.check: Check = no_check

    @contextmanager
    def using(self, check: Check) -> Iterator[None]:
        before, self.check = self.check, check
        try:
            yield
        finally:
            self.check = before


def in_thread(work: Callable[[], _T], check: Check, discard: Callable[[_T], None]) -> _T:
    """Run what the system cannot interrupt, such as a name lookup, in a thread of its own.

    When `check` ends the wait, the thread is left behind and `discard` gets its late result.
    """
    future: Future[_T] = Future()

    def discard_late(late: Future[_T]) -> None:
        if late.exception() is None:
            discard(late.result())

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="stylus-connect", daemon=True).start()
    try:
        while not wait((future,), TICK_S).done:
            check()
    except BaseException:
        future.add_done_callback(discard_late)
        raise
    return future.result()


class Pace:
    """At most one request each `interval_s` seconds, for all threads together."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next = 0.0
        self._guard = threading.Lock()

    def wait(self, check: Check) -> None:
        with self._guard:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval_s
        pause(turn - now, check)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long a request may take, and when it is tried again.

    `stall_s` is the longest silence, `total_s` the longest wait for a whole JSON answer or for the
    head of a stream. A server that asks for a longer pause than `longest_retry_after_s` is not
    asked again.
    """

    connect_s: float = 10.0
    stall_s: float = 30.0
    total_s: float = 90.0
    tries: int = 3
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    longest_retry_after_s: float = 60.0
    largest_json: int = 64 * 1024 * 1024
    redirects: int = 5

    def pause_before_retry(
        self, attempt: int, retry_after: float | None = None, left_s: float = math.inf
    ) -> float | None:
        """Seconds to wait after failed try number `attempt`; None if no try or time is left."""
        if attempt >= self.tries:
            return None
        if retry_after is None:
            longest = min(self.longest_pause_s, self.first_pause_s * 2 ** (attempt - 1))
            retry_after = longest * random.uniform(0.75, 1.0)  # noqa: S311
        elif retry_after > self.longest_retry_after_s:
            return None
        return retry_after if retry_after < left_s else None


def is_temporary(status: int) -> bool:
    """Whether a later try may succeed."""
    return (
        status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def retry_after(header: str) -> float | None:
    """The seconds that a Retry-After header asks for: a number, or a date."""
    header = header.strip()
    if header.isascii() and header.isdigit() and len(header) < 10:  # noqa: PLR2004
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
