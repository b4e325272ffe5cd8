"""Waiting that can be ended: a check per thread, a pause that asks it, and the pace at which an
origin is asked.
"""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from stylus_ext.core.errors import StylusError, Unavailable

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """`stall_s` is the longest silence, `total_s` the longest wait for a whole JSON answer or for
    the head of a stream.
    """

    connect_s: float = 10.0
    stall_s: float = 30.0
    total_s: float = 90.0
    tries: int = 4
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    longest_retry_after_s: float = 60.0
    """A server that wants to be left alone for longer gets its wish: the request fails and says
    until when.
    """
    largest_json: int = 64 * MIB
    hops: int = 5


class HttpRefusal(StylusError):
    """The server answered with a status that says no. Whoever asked knows the sentence that a user
    needs; this is the plain one.
    """

    def __init__(
        self,
        where: str,
        status: int,
        said: str = "",
        body: object = None,
        retry_after: float | None = None,
    ) -> None:
        """`said` is the server's own sentence, if it is one; `body` its JSON; `retry_after` the
        seconds it asked for.
        """
        super().__init__(
            f"{where} answered with the status {status}" + (f" ({said})." if said else ".")
        )
        self.where = where
        self.status = status
        self.said = said
        self.body = body
        self.retry_after = retry_after
        self.reason = ""
        """The word by which some servers name the reason in a header."""

    def named(self, headers: Mapping[str, str]) -> HttpRefusal:
        self.reason = headers.get("x-error-code", "")[:80]
        return self


class Unreachable(Unavailable):
    """Nobody answered, not in time, or the connection broke."""


class BadAnswer(Unavailable):
    """An answer that is not what was asked for: a web page, broken JSON, more than anybody needs, a
    redirect to nowhere.
    """


Check = Callable[[], None]


def free() -> None:
    """The check of what nobody will stop."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` by lower-case name; `origin` is where the answer came from after all redirects, the
    signed address stays inside.
    """

    status: int
    headers: Mapping[str, str]
    origin: str
    pieces: Callable[[], Iterator[bytes]]
    """The body as it was sent, piece by piece; `Unreachable` when it breaks off, stalls, or is
    shorter than was said.
    """

    @property
    def length(self) -> int | None:
        """What `Content-Length` says of this answer's body, if it says anything usable."""
        said = self.headers.get("content-length", "")
        return int(said) if said.isascii() and said.isdigit() and len(said) < 20 else None  # noqa: PLR2004

    def beginning(self, most: int, within_s: float) -> bytes:
        """Of something small: all of it, or so many bytes and some; `Unreachable` where even that
        does not come in time.
        """
        until = time.monotonic() + within_s
        data = bytearray()
        for piece in self.pieces():
            data += piece
            if len(data) > most:
                break
            if time.monotonic() > until:
                raise Unreachable(
                    f"{self.origin} sends so slowly that it was not waited for. Try again later."
                )
        return bytes(data)


@dataclass(frozen=True, slots=True)
class Told:
    """Plain data, and the headers that came with it, by lower-case name."""

    data: object
    headers: Mapping[str, str]


def named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


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
