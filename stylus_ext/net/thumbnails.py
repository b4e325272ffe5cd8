"""Thumbnails of untrusted pictures: bytes, a file or an allowed address in, a small JPEG out.

    Thumbnails(edge=512).small(data, "image/png")
    Thumbnails().of_file(path)
    RemotePictures(Thumbnails()).small("https://image.civitai.com/...", check)

`NotAPicture` says why there is none.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.core.files import open_regular, write_file
from stylus_ext.net.client import Http
from stylus_ext.net.keys import origin_of, safe_url
from stylus_ext.net.waiting import Check, TimeLimits, no_check

if TYPE_CHECKING:
    from PIL import Image

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
"""The services whose cards Stylus reads, and the storages that they send pictures from."""

MB = 1024 * 1024
_LIMITS = TimeLimits(connect_s=5.0, stall_s=10.0, total_s=15.0, tries=1)
_MOST_SCANS = 100
"""A small JPEG with thousands of scans keeps a decoder busy for minutes."""
_TYPES = {
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/pjpeg": "JPEG",
    "image/png": "PNG",
    "image/x-png": "PNG",
    "image/webp": "WEBP",
}
_UNSTATED = ("", "application/octet-stream", "binary/octet-stream")
_DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    MemoryError,
    struct.error,
)
"""What decoders raise for broken data."""
_DRAFT_SCALE = 2
"""A JPEG is decoded at no less than this times the wanted size, where that is cheap."""


class NotAPicture(InvalidInput):
    """Data of which no thumbnail is made."""


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """`edge` is the longest side of the result. One picture is decoded at a time, to bound memory.

    Pillow reads size and kind from the head without decoding; they are checked first.
    """

    edge: int = 512
    quality: int = 85
    largest: int = 16 * MB
    most_pixels: int = 24_000_000
    _decoding: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def small(self, data: bytes, stated: str = "") -> bytes:
        """A JPEG without metadata, upright, on white; `stated` is the media type it came with."""
        from PIL import Image, UnidentifiedImageError

        if len(data) > self.largest:
            raise NotAPicture(f"The picture has more than {self.largest // MB} MB.")
        out = io.BytesIO()
        try:
            with (
                self._decoding,
                Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as picture,
            ):
                self._check(picture, data, stated)
                self._flat(picture).save(out, "JPEG", quality=self.quality, optimize=True)
        except NotAPicture:
            raise
        except UnidentifiedImageError as error:
            raise NotAPicture("The data is not a JPEG, PNG or WebP picture.") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise NotAPicture("The picture has too many pixels.") from error
        except _DAMAGED as error:
            raise NotAPicture("The picture is damaged or incomplete.") from error
        return out.getvalue()

    def of_file(self, path: Path) -> bytes:
        try:
            with open_regular(path) as file:
                data = file.read(self.largest + 1)
        except OSError as error:
            raise NotAPicture(
                f"The picture {path.name} cannot be read: {error.strerror or error}."
            ) from error
        return self.small(data)

    def _check(self, picture: Image.Image, data: bytes, stated: str) -> None:
        kind = "JPEG" if picture.format == "MPO" else picture.format
        media_type = stated.partition(";")[0].strip().casefold()
        if media_type not in _UNSTATED and _TYPES.get(media_type) != kind:
            raise NotAPicture(f"A {kind} picture was sent as {media_type[:60]!r}.")
        if not 0 < picture.width * picture.height <= self.most_pixels:
            raise NotAPicture(
                f"The picture has {picture.width:,} x {picture.height:,} pixels. The limit is"
                f" {self.most_pixels:,}."
            )
        if kind == "JPEG":
            if data.count(b"\xff\xda") > _MOST_SCANS:
                raise NotAPicture("The picture has too many scans.")
        elif getattr(picture, "n_frames", 1) > 1:
            raise NotAPicture("The picture is animated.")

    def _flat(self, picture: Image.Image) -> Image.Image:
        """The pixels alone, on a new canvas."""
        from PIL import Image, ImageOps

        picture.draft("RGB", (self.edge * _DRAFT_SCALE, self.edge * _DRAFT_SCALE))
        picture.load()
        transparent = picture.has_transparency_data
        small = picture.convert("RGBA" if transparent else "RGB")
        small.thumbnail((self.edge, self.edge), Image.Resampling.LANCZOS)
        with contextlib.suppress(*_DAMAGED):  # a broken EXIF block does not spoil the picture
            small = ImageOps.exif_transpose(small)
        canvas = Image.new("RGB", small.size, "white")
        canvas.paste(small, (0, 0), small if transparent else None)
        return canvas


@dataclass(frozen=True)
class RemotePictures:
    """Thumbnails of pictures at allowed origins; no key is sent. To be closed."""

    thumbnails: Thumbnails = field(default_factory=Thumbnails)
    origins: Collection[str] = ORIGINS
    limits: TimeLimits = _LIMITS
    timeout_s: float = 30.0
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

    def small(self, url: str, check: Check = no_check) -> bytes:
        """A small JPEG, or a `StylusError` that says why there is none."""
        if not self.allows(url):
            raise NotAPicture(f"Pictures are not fetched from {safe_url(url)}.")
        with self.http.stream(url, check=check) as response:
            data = response.beginning(self.thumbnails.largest, self.timeout_s)
            stated = response.headers.get("content-type", "")
        return self.thumbnails.small(data, stated)


EDGE = 384
MOST = 4000
"""About 40 KB each."""
_AT_ONCE = 2
_RETRY_AFTER_S = 600.0


def _remote() -> RemotePictures:
    return RemotePictures(Thumbnails(edge=EDGE))


@dataclass
class KeptPictures:
    """Thumbnails of remote pictures, cached in a folder. To be closed.

    Two are fetched at a time; a third request fails at once and may be repeated.
    """

    folder: Path
    make: Callable[[], RemotePictures] = _remote
    most: int = MOST
    _slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _opened: RemotePictures | None = None
    _not_before: dict[str, float] = field(default_factory=dict)

    def small(self, url: str, check: Check = no_check) -> bytes:
        """A small JPEG, or a `StylusError` that says why there is none."""
        path = self.folder / f"{hashlib.sha256(url.encode()).hexdigest()}.jpg"
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            os.utime(path)  # the picture unused for longest is deleted first
            return data
        if time.monotonic() < self._not_before.get(url, 0.0):
            raise Unavailable("Fetching this picture failed a moment ago.")
        if not self._slots.acquire(blocking=False):
            raise Unavailable("Other pictures are being fetched. Ask for this one again.")
        try:
            data = self._fetch(url, check)
        finally:
            self._slots.release()
        self._save(path, data)
        return data

    def close(self) -> None:
        with self._guard:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _fetch(self, url: str, check: Check) -> bytes:
        with self._guard:
            remote = self._opened = self._opened or self.make()
        try:
            return remote.small(url, check)
        except StylusError:
            self._not_before[url] = time.monotonic() + _RETRY_AFTER_S
            raise

    def _save(self, path: Path, data: bytes) -> None:
        """Failing to write costs another fetch and nothing more."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_file(path, data)
            oldest_first = sorted(self.folder.glob("*.jpg"), key=lambda file: file.stat().st_mtime)
            for file in oldest_first[: max(0, len(oldest_first) - self.most)]:
                file.unlink()
        except OSError as error:
            logger.info("A thumbnail was not saved: %s", error)
