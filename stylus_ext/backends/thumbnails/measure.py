"""What a picture claims to be, read without decoding it: bytes go in; its kind, its size and how
much work it is come out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from stylus_ext.core.errors import InvalidInput

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
