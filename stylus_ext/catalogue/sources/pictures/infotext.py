"""A picture file in, its infotext out, empty where it has none. Only text chunks are read, never a
pixel.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.parse import UserTag, user_tags
from stylus_ext.core.prompt.tokens import NETWORK, tokenise

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


MOST_PROMPT = 20_000

_NEGATIVE = "Negative prompt:"
_PARAMETER = re.compile(r"([\w][\w \-/]{0,63}?):\s*(\"(?:\\.|[^\\\"])*\"|[^,]*)(?:,|$)")
_FEWEST_PARAMETERS = 3
_MOST_BEHIND = 4
"""Lines that extensions write behind the parameters, such as the template of Dynamic Prompts."""
_MOST_PARAMETERS = 400
_HASH = re.compile(r"([^,:\"]{1,255}):\s*([0-9a-fA-F]{8,64})\b")
_LORA_KINDS = frozenset({"lora", "lyco"})
_SPARE_COMMAS = re.compile(r"[ \t]*,(?:[ \t]*,)+")
_SPARE_SPACES = re.compile(r"[ \t]{2,}")


@dataclass(frozen=True, slots=True)
class Infotext:
    """`parameters` are as written, unquoted: `Steps`, `Seed`, `Lora hashes` and whatever extensions
    add.
    """

    prompt: str
    negative: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def lora_hashes(self) -> dict[str, str]:
        """By the name that the WebUI wrote, which may be the alias; the hash is that of the
        tensors, shortened.
        """
        pairs = _HASH.findall(self.parameters.get("Lora hashes", "")[:MOST_PROMPT])
        return {name.strip(): value.lower() for name, value in pairs}


def parse_infotext(text: str) -> Infotext:
    """Reads any text; what has no parameters is all prompt."""
    lines = text.replace("\r\n", "\n").strip("\0\n ").split("\n")
    parameters: dict[str, str] = {}
    for place in range(len(lines) - 1, max(-1, len(lines) - 1 - _MOST_BEHIND), -1):
        parameters = _parameters(lines[place]) if len(lines[place]) <= MOST_PROMPT else {}
        if parameters:
            del lines[place:]
            break
    prompt: list[str] = []
    negative: list[str] | None = None
    for line in lines:
        if negative is None and line.lstrip().startswith(_NEGATIVE):
            negative = [line.lstrip().removeprefix(_NEGATIVE).strip()]
        else:
            (prompt if negative is None else negative).append(line)
    return Infotext(
        "\n".join(prompt).strip()[:MOST_PROMPT],
        "\n".join(negative or []).strip()[:MOST_PROMPT],
        parameters,
    )


def written_with_hash(name: str) -> str:
    """A name as the WebUI writes it among the hashes."""
    return name.replace(":", "").replace(",", "").strip()


def without_tags(prompt: str) -> tuple[str, tuple[UserTag, ...]]:
    """The prompt as it reads without its LoRA tags, and these."""
    tokens = tokenise(prompt)
    tags = tuple(tag for tag in user_tags(tokens) if tag.kind in _LORA_KINDS and tag.name)
    if not any(token.kind == NETWORK for token in tokens):
        return _tidied(prompt), tags
    return _tidied("".join(token.text for token in tokens if token.kind != NETWORK)), tags


def _tidied(prompt: str) -> str:
    lines = (
        _SPARE_SPACES.sub(" ", _SPARE_COMMAS.sub(",", line)).strip(" \t,")
        for line in prompt.split("\n")
    )
    return "\n".join(line for line in lines if line)


def _parameters(line: str) -> dict[str, str]:
    found = dict(_PARAMETER.findall(line)[:_MOST_PARAMETERS])
    if (
        len(found) < _FEWEST_PARAMETERS
        or "Steps" not in found
        and "Seed" not in found
        and "Size" not in found
    ):
        return {}
    return {name.strip(): _unquoted(value.strip()) for name, value in found.items()}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')
