"""A picture file in, its infotext out, empty where it has none. Only text chunks are read, never a
pixel.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from stylus_ext.backends.pictures.exif import user_comment
from stylus_ext.core.errors import InvalidInput

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
MOST_TEXT = 1 << 20
"""Bytes of text, packed or unpacked; prompts have thousands, bombs have thousands of millions."""

_PNG = b"\x89PNG\r\n\x1a\n"
_KEYS = frozenset({b"parameters"})
_MOST_CHUNKS = 20_000
_JPEG = b"\xff\xd8"
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_APP1, _SCAN, _END, _FILL = 0xE1, 0xDA, 0xD9, 0xFF


def infotext_of(path: Path) -> str:
    """Raises `InvalidInput` for what is not a readable picture, and `OSError` for what cannot be
    opened.
    """
    with path.open("rb") as file:
        start = file.read(12)
        try:
            if start.startswith(_PNG):
                file.seek(len(_PNG))
                return _of_png(file)
            if start.startswith(_JPEG):
                file.seek(len(_JPEG))
                return _of_jpeg(file)
            if start[:4] == b"RIFF" and start[8:] == b"WEBP":
                return _of_webp(file)
        except struct.error as problem:
            raise InvalidInput("it ends too early") from problem
    raise InvalidInput("it is not a PNG, JPEG or WebP picture" if start else "it is empty")


def _of_png(file: BinaryIO) -> str:
    for _ in range(_MOST_CHUNKS):
        size, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IEND":
            return ""
        if kind in {b"tEXt", b"zTXt", b"iTXt"} and size <= MOST_TEXT:
            text = _png_text(kind, _whole(file, size))
            if text:
                return text
            file.seek(4, 1)
        else:
            file.seek(size + 4, 1)
    raise InvalidInput("it has more chunks than any picture")


def _whole(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise InvalidInput("it ends too early")
    return data


def _png_text(kind: bytes, data: bytes) -> str:
    key, _, rest = data.partition(b"\0")
    if key.lower() not in _KEYS:
        return ""
    if kind == b"tEXt":
        return _latin(rest)
    if kind == b"zTXt":
        return _latin(_unpacked(rest[1:]))
    packed, rest = rest[:1] == b"\1", rest[2:]
    text = rest.split(b"\0", 2)[-1]
    return (_unpacked(text) if packed else text).decode("utf-8", "replace")


def _latin(data: bytes) -> str:
    """Latin-1 says the standard; many programs write UTF-8 all the same."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MOST_TEXT)
    except zlib.error as problem:
        raise InvalidInput("its packed text is damaged") from problem


def _of_jpeg(file: BinaryIO) -> str:
    for _ in range(_MOST_CHUNKS):
        mark, kind = struct.unpack("BB", file.read(2))
        if mark != _FILL:
            raise InvalidInput("its segments are damaged")
        if kind == _FILL:  # padding: the second may be the first of the next mark
            file.seek(-1, 1)
            continue
        if kind in {_SCAN, _END}:
            return ""
        if kind in _ALONE:
            continue
        (size,) = struct.unpack(">H", file.read(2))
        if size < 2:  # noqa: PLR2004
            raise InvalidInput("its segments are damaged")
        if kind != _APP1:
            file.seek(size - 2, 1)
            continue
        data = _whole(file, size - 2)
        if data.startswith(b"Exif\0\0"):
            return user_comment(data)
    raise InvalidInput("it has more segments than any picture")


def _of_webp(file: BinaryIO) -> str:
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if not head:
            return ""
        kind, size = struct.unpack("<4sI", head)
        if kind == b"EXIF":
            return user_comment(file.read(min(size, MOST_TEXT)))
        file.seek(size + size % 2, 1)
    raise InvalidInput("it has more chunks than any picture")
