"""Strangers' pictures made harmless: bytes, a file or an address of an allowed host go in, a small
JPEG of our own comes out.

    Thumbnails(edge=512).small(data, "image/png")      # bytes of a JPEG
    Thumbnails().of_file(path)
    RemotePictures(Thumbnails()).small("https://image.civitai.com/...", check)

`NotAPicture` says in a sentence why there is none.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.net.client import Http
from stylus_ext.net.images import NotAPicture, Thumbnails
from stylus_ext.net.keys import origin_of, shown
from stylus_ext.net.waiting import TimeLimits, free

logger = logging.getLogger(__name__)


ORIGINS = frozenset(
    {
        "https://image.civitai.com",
        "https://imagecache.civitai.com",
        "https://image-b2.civitai.com",
        "https://huggingface.co",
        "https://cdn-lfs.huggingface.co",
        "https://cdn-lfs.hf.co",
        "https://cdn-lfs-us-1.hf.co",
        "https://cdn-lfs-eu-1.hf.co",
        "https://cas-bridge.xethub.hf.co",
        "https://us.aws.cdn.hf.co",
        "https://us.gcp.cdn.hf.co",
        "https://cdn-uploads.huggingface.co",
    }
)
"""Those of the services whose cards Stylus reads, and of the storages that they send pictures from.
"""
LIMITS = TimeLimits(connect_s=5.0, stall_s=10.0, total_s=15.0, tries=1)


@dataclass(frozen=True)
class RemotePictures:
    """No key is sent. To be closed."""

    thumbnails: Thumbnails = field(default_factory=Thumbnails)
    origins: Collection[str] = ORIGINS
    limits: TimeLimits = LIMITS
    patience_s: float = 30.0
    http: Http = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "http", Http(limits=self.limits, within=self.origins))

    def close(self) -> None:
        self.http.close()

    def allows(self, url: str) -> bool:
        try:
            return origin_of(url) in self.origins
        except InvalidInput:
            return False

    def small(self, url: str, check: Callable[[], None] = free) -> bytes:
        """A `StylusError` says why there is none."""
        if not self.allows(url):
            raise NotAPicture(f"Pictures are not fetched from {shown(url)}.")
        with self.http.stream(url, check=check) as answer:
            data = answer.beginning(self.thumbnails.largest, self.patience_s)
            stated = answer.headers.get("content-type", "")
        return self.thumbnails.small(data, stated)


__all__ = ["ORIGINS", "NotAPicture", "RemotePictures", "Thumbnails"]


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
