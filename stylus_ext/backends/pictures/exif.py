"""EXIF data in, the user comment out: where the WebUI keeps the infotext of JPEG and WebP
pictures.
"""

from __future__ import annotations

import struct

from stylus_ext.core.errors import InvalidInput

_EXIF_POINTER = 0x8769
_USER_COMMENT = 0x9286
_ASCII, _BYTES, _LONG = 2, 7, 4
_ENTRY = 12
_MOST_ENTRIES = 512
_ORDERS = {b"II": "<", b"MM": ">"}


def user_comment(data: bytes) -> str:
    """Empty where there is none. `data` may begin with the `Exif` mark of JPEG files."""
    tiff = data.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(tiff[:2])
    if order is None:
        raise InvalidInput("the EXIF data does not say its byte order")
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        pointer = _entry(tiff, order, first, _EXIF_POINTER)
        if pointer is None:
            return ""
        (second,) = struct.unpack(f"{order}I", pointer[:4])
        return _decoded(_entry(tiff, order, second, _USER_COMMENT) or b"", order)
    except struct.error as problem:
        raise InvalidInput("the EXIF data ends too early") from problem


def _entry(tiff: bytes, order: str, at: int, wanted: int) -> bytes | None:
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    for place in range(min(count, _MOST_ENTRIES)):
        tag, form, size = struct.unpack_from(f"{order}HHI", tiff, at + 2 + place * _ENTRY)
        if tag != wanted:
            continue
        value = at + 2 + place * _ENTRY + 8
        if form == _LONG:
            return tiff[value : value + 4]
        if form in {_ASCII, _BYTES}:
            start = value if size <= 4 else struct.unpack_from(f"{order}I", tiff, value)[0]  # noqa: PLR2004
            return tiff[start : start + size]
    return None


def _decoded(comment: bytes, order: str) -> str:
    prefix, rest = comment[:8], comment[8:]
    if prefix == b"UNICODE\0":
        return rest.decode(_utf16(rest, order), "replace").strip("\0\ufeff ")
    if prefix in {b"ASCII\0\0\0", b"\0" * 8}:
        comment = rest
    return comment.decode("utf-8", "replace").strip("\0 ")


def _utf16(text: bytes, order: str) -> str:
    """Writers do not agree whether the comment follows the file's byte order: its own zero bytes
    know better.
    """
    if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    big, little = text[0:2000:2].count(0), text[1:2000:2].count(0)
    if big == little:
        return "utf-16-be" if order == ">" else "utf-16-le"
    return "utf-16-be" if big > little else "utf-16-le"
