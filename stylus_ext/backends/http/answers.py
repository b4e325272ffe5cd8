"""An answer: its status and headers at once, its bytes as they come, or all of it as plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from stylus_ext.backends.http.problems import Unreachable

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
