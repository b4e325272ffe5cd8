"""How much may still be fetched: the caps, the ledger and the disk go in; room for a file, or the
sentence why there is none, comes out.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.backends.download.ledger import Ledger
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.fetching import MB, Caps, NotFetched, in_mb

_STEP = 64 * MB


@dataclass(slots=True, eq=False)
class Room:
    """What one file may have; it grows as long as there is more. Two of the same size are two."""

    size: int
    done: int = 0


@dataclass
class Budget:
    """Several files at once count together. `quota` and `keep_free`, which stays free on the disk,
    in bytes.
    """

    largest: int
    quota: int
    keep_free: int
    ledger: Ledger
    unhashed: bool = False
    _rooms: list[Room] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def caps(self) -> Caps:
        return Caps(
            self.largest,
            max(0, self.quota - self.ledger.total() - sum(room.size for room in self._rooms)),
            self.unhashed,
        )

    @contextlib.contextmanager
    def room(self, folder: Path, size: int, what: str, there: int = 0) -> Iterator[Room]:
        """So much of it is on the disk already."""
        room = Room(0, there)
        try:
            with self._guard:
                self._rooms.append(room)
            self.widen(room, folder, max(size, 1), what)
            yield room
        finally:
            with self._guard:
                self._rooms.remove(room)

    def widen(self, room: Room, folder: Path, size: int, what: str) -> None:
        """Room for so much, if it is not there yet: what the source said before may have been less
        than what comes.
        """
        if size <= room.size:
            return
        with self._guard:
            others = sum(other.size for other in self._rooms if other is not room)
            left = self.quota - self.ledger.total() - others
            caps = Caps(self.largest, left)
            if size > self.largest:
                raise NotFetched(
                    "too_large", f"{what} was not fetched: {caps.too_large(size)} (--largest-mb)."
                )
            if size > left:
                raise NotFetched(
                    "quota",
                    f"{what} was not fetched: {caps.too_large(size)} (--quota-gb). Delete some of"
                    " what was fetched, or allow more.",
                )
            coming = sum(
                max(0, other.size - other.done) for other in self._rooms if other is not room
            )
            free = _free(folder) - coming - max(0, size - room.done)
            if free < self.keep_free:
                raise NotFetched(
                    "disk_full",
                    f"{what} was not fetched: it has {in_mb(size)}, and the disk of {folder} would"
                    f" have less than {in_mb(self.keep_free)} free (--keep-free-gb).",
                )
            room.size = size

    def follow(self, room: Room, folder: Path, done: int, what: str) -> None:
        """What has come; in steps where nobody said how much it will be."""
        room.done = done
        if done > room.size:
            self.widen(room, folder, max(done, min(done + _STEP, self.largest)), what)


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise Unavailable(
            f"The disk of {folder} cannot be asked how much is free: {error.strerror or error}."
        ) from error
