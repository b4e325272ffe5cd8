"""Receive a URL into a part file: resume broken connections, check the first bytes."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from stylus_ext.catalogue.sources.local.header import MAX_HEADER, BadLoraFile, read_header
from stylus_ext.core.errors import reason_of
from stylus_ext.core.fetching import NotFetched, in_mb
from stylus_ext.downloads.part import PartFile
from stylus_ext.net import BadAnswer, Http, HttpRefusal, StreamResponse, Unreachable, origin_of
from stylus_ext.net.waiting import pause

ENOUGH = 16
"""Bytes needed to recognise a file that is not safetensors."""
BAD_CONTENTS = frozenset(
    {"web_page", "not_a_file", "no_safetensors", "too_short", "damaged", "wrong_size"}
)
_LENGTH = 8
_SHORTEST = _LENGTH + 2


def check_beginning(beginning: bytes, what: str, whole_size: int | None) -> None:
    """Refuse anything but a safetensors file as soon as its first bytes are there."""
    if len(beginning) <= _LENGTH:
        return
    length = struct.unpack("<Q", beginning[:_LENGTH])[
        0
    ]  # which may begin with the same byte as a page or a message
    fits = length <= MAX_HEADER and (whole_size is None or length <= whole_size - _LENGTH)
    if fits and beginning[_LENGTH : _LENGTH + 1] == b"{":
        return
    text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"<":
        raise NotFetched(
            "web_page",
            f"Received a web page instead of {what}; nothing was kept. A login page or"
            " firewall may be in between.",
        )
    if text[:1] in (b"{", b"["):
        raise NotFetched(
            "not_a_file",
            f"Received a message instead of {what}; nothing was kept. Try again later.",
        )
    raise NotFetched(
        "no_safetensors",
        f"The file received for {what} is not a safetensors file; nothing was kept.",
    )


def check_whole(path: Path, size: int, what: str) -> None:
    with path.open("rb") as file:
        check_beginning(file.read(ENOUGH), what, size)
    if size < _SHORTEST:
        raise NotFetched(
            "too_short",
            f"The file received for {what} has only {size} bytes; nothing was"
            " kept. Try again later.",
        )
    try:
        read_header(path)
    except BadLoraFile as error:
        raise NotFetched(
            "damaged",
            f"The file received for {what} is damaged: {reason_of(error.why or error)}. Nothing was"
            " kept; try again later.",
        ) from error


class TooSlow(Unreachable):
    """The connection is open but too slow."""


class OutOfTime(TooSlow):
    """The total waiting time of a file is used up."""


class WaitingTime:
    """The time that one file may spend without progress, over all its requests and tries.

    Bytes received win time back, `slowest` of them a second; never more than `most_s` is left.
    """

    def __init__(self, what: str, most_s: float, slowest: int) -> None:
        self._what, self._most_s, self._slowest = what, most_s, slowest
        self._left_s, self._seen = most_s, 0
        self._since: float | None = None

    def check(self, received: int) -> None:
        """Call while waiting. `received` is the size of the part file; it drops on a restart."""
        now = time.monotonic()
        if self._since is not None:
            won = max(0, received - self._seen) / self._slowest
            self._left_s = min(self._most_s, self._left_s + won) - (now - self._since)
        self._since, self._seen = now, received
        if self._left_s <= 0:
            raise OutOfTime(
                f"{self._what} did not come within {self._most_s:.0f} s of waiting. Try again"
                " later; what has come is kept."
            )

    def rest(self) -> None:
        """Stop the clock until the next check, for work without a server."""
        self._since = None


@dataclass(frozen=True, slots=True)
class StallDetector:
    """Detects a stall: fewer than `slowest` bytes a second during a window of `window_s`."""

    slowest: int
    window_s: float
    since: float
    size: int

    def after(self, size: int, now: float, what: str) -> StallDetector:
        """Return the current or the next window; raise if too little arrived."""
        if now - self.since < self.window_s:
            return self
        if size - self.size < self.slowest * (now - self.since):
            raise TooSlow(
                f"{what} came slower than {in_mb(self.slowest)} a second for {now - self.since:.0f}"
                " s. Try again later; what has come is kept."
            )
        return replace(self, since=now, size=size)


Check = Callable[[], None]

ROUNDED = 1024
"""Sources state sizes in KiB."""


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """A download request; `size` 0 and `sha256` empty mean unknown. `room` may refuse a size."""

    url: str
    what: str
    size: int
    sha256: str
    room: Callable[[int], None]
    check: Check


def _check_size(order: DownloadRequest, size: int) -> None:
    if order.size and size > order.size + ROUNDED:
        raise NotFetched(
            "wrong_size",
            f"{order.what} is larger than its source states; nothing was kept.",
        )


@dataclass(frozen=True, slots=True)
class Receiver:
    """Downloads with retries: `tries` in a row without progress, `most` in all.

    Slower than `slowest` bytes a second for `window_s` counts as a break without progress, and a
    file may wait for `waiting_s` in all.
    """

    http: Http
    tries: int = 4
    most: int = 60
    first_pause_s: float = 0.5
    longest_pause_s: float = 8.0
    slowest: int = 4096
    window_s: float = 60.0
    waiting_s: float = 240.0

    def waiting_time(self, what: str) -> WaitingTime:
        return WaitingTime(what, self.waiting_s, self.slowest)

    def __call__(self, order: DownloadRequest, part: PartFile) -> None:
        """Receive the whole file; each try requests a fresh signed address."""
        fruitless = 0
        for _ in range(self.most):
            before = part.size
            try:
                self._once(order, part)
                return  # noqa: TRY300
            except OutOfTime:
                raise
            except Unreachable as broken:
                if order.sha256 and part.sha256 == order.sha256:
                    return  # whatever length was stated
                fruitless = (
                    0 if part.size > before and not isinstance(broken, TooSlow) else fruitless + 1
                )
                if fruitless >= self.tries:
                    raise
            except HttpRefusal as refusal:
                fruitless += 1
                self._judged(refusal, order, part, fruitless)
            if part.cleared > self.tries:
                raise NotFetched(
                    "unsteady",
                    f"{order.what} cannot be resumed and breaks at each try; nothing was kept."
                    " Try again later.",
                )
            pause(min(self.longest_pause_s, self.first_pause_s * 2**fruitless), order.check)
        raise Unreachable(
            f"The connection for {order.what} broke {self.most} times. Try again later; the"
            " download will resume."
        )

    def _judged(
        self, refusal: HttpRefusal, order: DownloadRequest, part: PartFile, fruitless: int
    ) -> None:
        """Raise a refusal of the source; a refusal of the storage may be an expired address."""
        if refusal.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and part.size:
            part.clear()
        elif refusal.where.startswith(origin_of(order.url) + "/"):
            raise refusal
        elif fruitless >= self.tries - 1:
            raise NotFetched(
                "storage",
                f"The download server refused {order.what} with status {refusal.status}. Try"
                " again later.",
            ) from refusal

    def _once(self, order: DownloadRequest, part: PartFile) -> None:
        headers = {"Range": f"bytes={part.size}-"} if part.size else {}
        with self.http.stream(order.url, headers, check=order.check) as answer:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise BadAnswer(
                    f"{answer.origin} sent {order.what} compressed, although this was not"
                    " requested. Try again later."
                )
            if part.size and not part.continues_with(answer):
                part.clear()
                if answer.status == HTTPStatus.PARTIAL_CONTENT:
                    raise Unreachable(f"{answer.origin} sent the wrong part of {order.what}.")
            if not part.size:
                self._begun(order, part, answer)
            self._read(order, part, answer)
        self._is_whole(order, part)

    @staticmethod
    def _begun(order: DownloadRequest, part: PartFile, answer: StreamResponse) -> None:
        if answer.status == HTTPStatus.PARTIAL_CONTENT:
            raise BadAnswer(f"{answer.origin} sent only a part of {order.what}. Try again later.")
        part.learn(answer)
        if answer.length is not None:
            _check_size(order, answer.length)
            order.room(answer.length)

    def _read(self, order: DownloadRequest, part: PartFile, answer: StreamResponse) -> None:
        beginning = b"" if part.size < ENOUGH else None
        stall = StallDetector(self.slowest, self.window_s, time.monotonic(), part.size)
        for piece in answer.pieces():
            if beginning is not None:
                beginning += piece[:ENOUGH]
                if not part.size or len(beginning) >= ENOUGH:
                    check_beginning(beginning, order.what, part.state.total)
                    beginning = None if len(beginning) >= ENOUGH else beginning
            _check_size(order, part.size + len(piece))
            order.room(part.size + len(piece))
            part.write(piece)
            order.check()
            stall = stall.after(part.size, time.monotonic(), order.what)

    @staticmethod
    def _is_whole(order: DownloadRequest, part: PartFile) -> None:
        """Raise if bytes are missing: without a stated length the end looks the same."""
        total = part.state.total
        short = (
            part.size < total
            if total is not None
            else bool(order.size) and part.size < order.size - ROUNDED
        )
        if short:
            raise Unreachable(f"The connection for {order.what} ended early. Try again.")
