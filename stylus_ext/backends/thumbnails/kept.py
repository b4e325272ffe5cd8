"""`KeptPictures`: the address of a card's picture goes in; a small JPEG comes out, fetched the
first time, then read from a folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.backends.http import free
from stylus_ext.backends.thumbnails.remote import RemotePictures
from stylus_ext.backends.thumbnails.shrink import Thumbnails
from stylus_ext.core.errors import StylusError, Unavailable

logger = logging.getLogger(__name__)

EDGE = 384
MOST = 4000
"""About 40 KB each."""
_AT_ONCE = 2
_AGAIN_S = 600.0


def _remote() -> RemotePictures:
    return RemotePictures(Thumbnails(edge=EDGE))


@dataclass
class KeptPictures:
    """Nobody waits in a line: where two are under way, the third is told to come again. To be
    closed.
    """

    folder: Path
    make: Callable[[], RemotePictures] = _remote
    most: int = MOST
    _under_way: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _opened: list[RemotePictures] = field(default_factory=list)
    _not_before: dict[str, float] = field(default_factory=dict)

    def small(self, url: str, check: Callable[[], None] = free) -> bytes:
        """A `StylusError` says why there is none."""
        path = self.folder / f"{hashlib.sha256(url.encode()).hexdigest()}.jpg"
        with suppress(OSError):
            data = path.read_bytes()
            os.utime(path)  # what is looked at stays longest
            return data
        if time.monotonic() < self._not_before.get(url, 0.0):
            raise Unavailable("This picture could not be had a moment ago.")
        if not self._under_way.acquire(blocking=False):
            raise Unavailable("Other pictures are being fetched; this one can be asked for again.")
        try:
            data = self._fetched(url, check)
        finally:
            self._under_way.release()
        self._keep(path, data)
        return data

    def close(self) -> None:
        with self._guard:
            for one in self._opened:
                one.close()
            self._opened.clear()

    def _fetched(self, url: str, check: Callable[[], None]) -> bytes:
        with self._guard:
            if not self._opened:
                self._opened.append(self.make())
            remote = self._opened[0]
        try:
            return remote.small(url, check)
        except StylusError:
            self._not_before[url] = time.monotonic() + _AGAIN_S
            raise

    def _keep(self, path: Path, data: bytes) -> None:
        """A disk that takes it not costs a fetch the next time, nothing more."""
        part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
            found = sorted(self.folder.glob("*.jpg"), key=lambda one: one.stat().st_mtime)
            for one in found[: max(0, len(found) - self.most)]:
                one.unlink()
        except OSError as error:
            logger.info("a picture was not kept: %s", error)
