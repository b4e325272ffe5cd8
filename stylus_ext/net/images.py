"""What a picture claims to be, read without decoding it: bytes go in; its kind, its size and how
much work it is come out.
"""

from __future__ import annotations

import contextlib
import io
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stylus_ext.core.errors import InvalidInput

if TYPE_CHECKING:
    from PIL import Image


_PNG = b"\x89PNG\r\n\x1a\n"
_BARE = {0x01, *range(0xD0, 0xD9)}
"""Marks in a JPEG that carry nothing."""
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SCAN = b"\xff\xda"
_WEBP_HEAD = 30


class NotAPicture(InvalidInput):
    """Bytes of which no thumbnail is made."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`scans` is how often a JPEG goes over all of its pixels: a small one with thousands keeps a
    decoder busy for minutes.
    """

    kind: str
    width: int
    height: int
    scans: int = 1

    @property
    def pixels(self) -> int:
        return self.width * self.height


def claim_of(data: bytes) -> Claim:
    try:
        if data.startswith(_PNG):
            found = _png(data)
        elif data.startswith(b"\xff\xd8\xff"):
            found = _jpeg(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            found = _webp(data)
        else:
            raise NotAPicture("It is no JPEG, PNG or WebP picture.")
    except (struct.error, IndexError) as error:
        raise NotAPicture("The picture breaks off at its beginning.") from error
    if found.pixels <= 0:
        raise NotAPicture("The picture has no size.")
    return found


def _png(data: bytes) -> Claim:
    if data[12:16] != b"IHDR":
        raise NotAPicture("The picture is a PNG without a head.")
    width, height = struct.unpack(">II", data[16:24])
    if b"acTL" in data[:4096]:
        raise NotAPicture("The picture is animated.")
    return Claim("PNG", width, height)


def _jpeg(data: bytes) -> Claim:
    """The largest of its frames: a decoder takes the last, and some have one in each of several
    pictures.
    """
    sizes = list(_jpeg_frames(data))
    if not sizes:
        raise NotAPicture("The picture is a JPEG without a size.")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Claim("JPEG", width, height, data.count(_SCAN))


def _jpeg_frames(data: bytes) -> Iterator[tuple[int, int]]:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:  # noqa: PLR2004
            return
        mark = data[at + 1]
        if mark == 0xFF:  # noqa: PLR2004
            at += 1
        elif mark in _BARE:
            at += 2
        elif mark == _SCAN[1]:
            return
        else:
            if mark in _FRAMES:
                height, width = struct.unpack(">HH", data[at + 5 : at + 9])
                yield width, height
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]


def _webp(data: bytes) -> Claim:
    head, kind = data[:_WEBP_HEAD], data[12:16]
    if len(head) < _WEBP_HEAD:
        raise NotAPicture("The picture breaks off at its beginning.")
    if kind == b"VP8X":
        if head[20] & 0x02:
            raise NotAPicture("The picture is animated.")
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack("<HH", head[26:30]))
    else:
        raise NotAPicture("The picture is a WebP of an unknown kind.")
    return Claim("WEBP", width, height)


MB = 1024 * 1024
_MOST_SCANS = 100
_TYPES = {
    "image/jpeg": "JPEG",
    "image/jpg": "JPEG",
    "image/pjpeg": "JPEG",
    "image/png": "PNG",
    "image/x-png": "PNG",
    "image/webp": "WEBP",
}
_SAYS_NOTHING = ("", "application/octet-stream", "binary/octet-stream")
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
"""What decoders raise, for whatever is wrong."""
_DRAFTED = 2
"""A JPEG is decoded at so many times the size that is wanted, at least, where its format lets that
be cheap.
"""


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """`edge` is the longest side of what comes out. One picture is decoded at a time, so that
    memory is that of one.
    """

    edge: int = 512
    quality: int = 85
    largest: int = 16 * MB
    most_pixels: int = 24_000_000
    _one: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def small(self, data: bytes, stated: str = "") -> bytes:
        """A JPEG, without metadata, turned the right way up, on white. `stated` is the media type
        that came with it, if any did.
        """
        if len(data) > self.largest:
            raise NotAPicture(f"The picture has more than {self.largest // MB} MB.")
        claim = claim_of(data)
        self._check(claim, stated)
        with self._one:
            return self._drawn(data, claim)

    def of_file(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                data = file.read(self.largest + 1)
        except OSError as error:
            raise NotAPicture(
                f"The picture {path.name} cannot be read: {error.strerror or error}."
            ) from error
        return self.small(data)

    def _check(self, claim: Claim, stated: str) -> None:
        kind = stated.partition(";")[0].strip().casefold()
        if kind not in _SAYS_NOTHING and _TYPES.get(kind) != claim.kind:
            raise NotAPicture(f"It was sent as {kind[:60]!r}, and is a {claim.kind} picture.")
        if claim.pixels > self.most_pixels:
            raise NotAPicture(
                f"The picture has {claim.width:,} x {claim.height:,} pixels, which is more than is"
                " decoded."
            )
        if claim.scans > _MOST_SCANS:
            raise NotAPicture("The picture is made to be slow.")

    def _drawn(self, data: bytes, claim: Claim) -> bytes:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(data), formats=[claim.kind]) as picture:
                if picture.width * picture.height > self.most_pixels or (
                    claim.kind != "JPEG" and getattr(picture, "n_frames", 1) > 1
                ):
                    raise NotAPicture("The picture is another than its head says, or is animated.")
                flat = self._flat(picture)
        except (
            UnidentifiedImageError,
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise NotAPicture("The picture cannot be decoded.") from error
        except _DAMAGED as error:
            raise NotAPicture("The picture is damaged or breaks off.") from error
        out = io.BytesIO()
        flat.save(out, "JPEG", quality=self.quality, optimize=True)
        return out.getvalue()

    def _flat(self, picture: Image.Image) -> Image.Image:
        """Only the pixels are taken over, onto a canvas of our own."""
        from PIL import Image, ImageOps

        picture.draft("RGB", (self.edge * _DRAFTED, self.edge * _DRAFTED))
        picture.load()
        clear = picture.has_transparency_data
        small = picture.convert("RGBA" if clear else "RGB")
        small.thumbnail((self.edge, self.edge), Image.Resampling.LANCZOS)
        with contextlib.suppress(
            *_DAMAGED
        ):  # what says how to turn it may be broken where the picture is not
            small = ImageOps.exif_transpose(small)
        canvas = Image.new("RGB", small.size, "white")
        canvas.paste(small, (0, 0), small if clear else None)
        return canvas
