"""What an HTTP request gives back: JSON, a stream, or one of three errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from stylus_ext.core.errors import StylusError, Unavailable


class HttpRefusal(StylusError):
    """The server answered with an error status.

    `message` is the server's own sentence, if it sent one, and `body` its JSON; `retry_after` is
    the pause it asked for, in seconds; `code` is the error code that some servers put into a
    header. Callers turn it into an error that names what to do.
    """

    def __init__(
        self,
        where: str,
        status: int,
        message: str = "",
        body: object = None,
        retry_after: float | None = None,
        code: str = "",
    ) -> None:
        super().__init__(
            f"{where} answered with the status {status}" + (f" ({message})." if message else ".")
        )
        self.where = where
        self.status = status
        self.message = message
        self.body = body
        self.retry_after = retry_after
        self.code = code


class Unreachable(Unavailable):
    """The server did not answer, not in time, or the connection broke."""


class BadAnswer(Unavailable):
    """The answer is unusable: a web page, broken JSON, too large, or a redirect not followed."""


@dataclass(frozen=True, slots=True)
class JsonResponse:
    """Plain data and the headers that came with it, by lower-case name."""

    data: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """An open response. `origin` is the one that answered after all redirects; the address itself
    stays private, since it may be signed.

    `pieces` yields the body as it was sent. It raises `Unreachable` when the body breaks off,
    stalls, or is shorter than its Content-Length.
    """

    status: int
    headers: Mapping[str, str]
    origin: str
    pieces: Callable[[], Iterator[bytes]]

    @property
    def length(self) -> int | None:
        """The Content-Length, where it is a number."""
        length = self.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None  # noqa: PLR2004

    def beginning(self, most: int, within_s: float) -> bytes:
        """Read the body up to `most` bytes and the rest of a piece, within `within_s` seconds."""
        until = time.monotonic() + within_s
        data = bytearray()
        for piece in self.pieces():
            data += piece
            if len(data) > most:
                break
            if time.monotonic() > until:
                raise Unreachable(f"{self.origin} sends too slowly. Try again later.")
        return bytes(data)
