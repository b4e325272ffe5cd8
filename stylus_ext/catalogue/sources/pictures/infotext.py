"""Infotext of a picture file: read from its metadata with Pillow, and parsed.

No pixel is ever decoded. `Image.open` would refuse large upscaled pictures as decompression bombs,
so the parts of Pillow that read metadata are called directly.
"""

from __future__ import annotations

import json
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.files import open_regular
from stylus_ext.core.prompt.parse import NETWORK, UserTag, tokenise, user_tags

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
MAX_TEXT = 1 << 20
"""Bytes of text in a picture, compressed or not; Pillow unpacks no more than this either."""

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MAX_CHUNKS = 20_000
_MAX_JPEG_METADATA = 32 * MAX_TEXT
_DAMAGE = (SyntaxError, struct.error, ValueError, LookupError, TypeError, EOFError)
"""What Pillow raises for damaged files, besides an `OSError` without a number."""


def read_infotext(path: Path) -> str:
    """The infotext, or an empty text.

    Raises `InvalidInput` for an unreadable picture, and `OSError` for a file that cannot be opened.
    """
    with open_regular(path) as file:
        start = file.read(12)
        try:
            if start.startswith(_PNG):
                return _read_png(file)
            with warnings.catch_warnings():  # Pillow warns about damaged EXIF data and goes on
                warnings.filterwarnings("ignore", module="PIL")
                if start.startswith(b"\xff\xd8"):
                    return _read_jpeg(file)
                if start[:4] == b"RIFF" and start[8:] == b"WEBP":
                    return _read_webp(file)
        except (*_DAMAGE, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the file cannot be read; Pillow raises a plain OSError for a truncated one
            raise InvalidInput("it is damaged or incomplete") from error
    raise InvalidInput("it is not a PNG, JPEG or WebP picture" if start else "it is empty")


def _read_png(file: BinaryIO) -> str:
    """Lists the chunks with Pillow's `PngStream`.

    `PngImageFile` would read chunks of any size, and decode the pixels to find text behind them.
    """
    from PIL.PngImagePlugin import PngStream, iTXt

    chunks = PngStream(file)
    file.seek(len(_PNG))
    for _ in range(_MAX_CHUNKS):
        kind, start, size = chunks.read()
        if kind == b"IEND":
            return ""
        if kind in _TEXT_CHUNKS and size <= MAX_TEXT:
            chunks.call(kind, start, size)
            for key, text in chunks.im_text.items():
                if key.lower() == "parameters" and text:
                    return text if isinstance(text, iTXt) else _utf8_or_latin1(text)
        file.seek(start + size + 4)
    raise InvalidInput("it has too many chunks")


def _utf8_or_latin1(text: str) -> str:
    """The standard says Latin-1, as Pillow decodes it; many programs write UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text


class _LimitedFile:
    """A JPEG file for Pillow, which keeps all metadata in memory and skips junk byte by byte."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._reads = file, 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        self._reads += 1
        if self._reads > _MAX_CHUNKS or self._file.tell() > _MAX_JPEG_METADATA:
            raise InvalidInput("it has too much metadata")
        return self._file.read(size)


def _read_jpeg(file: BinaryIO) -> str:
    from PIL.JpegImagePlugin import JpegImageFile

    file.seek(0)
    picture = JpegImageFile(cast("BinaryIO", _LimitedFile(file)))
    return _user_comment(picture.info.get("exif", b""))


def _read_webp(file: BinaryIO) -> str:
    """Finds the EXIF chunk; Pillow would read the whole file and allocate its pixels."""
    for _ in range(_MAX_CHUNKS):
        header = file.read(8)
        if not header:
            return ""
        kind, size = struct.unpack("<4sI", header)
        if kind == b"EXIF":
            return _user_comment(file.read(min(size, MAX_TEXT)))
        file.seek(size + size % 2, 1)
    raise InvalidInput("it has too many chunks")


def _user_comment(exif: bytes) -> str:
    """The user comment of EXIF data, where JPEG and WebP files keep the infotext."""
    from PIL.ExifTags import IFD, Base
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    if not exif:
        return ""
    data = BytesIO(exif.removeprefix(b"Exif\0\0"))
    header = data.read(8)

    def directory(offset: int | None) -> Mapping[int, object]:
        found = ImageFileDirectory_v2(header)
        data.seek(found.next if offset is None else offset)
        found.load(data)
        if not found:
            raise InvalidInput("its EXIF data is damaged")
        return found

    root = directory(None)
    if IFD.Exif not in root:
        return ""
    comment = directory(cast("int", root[IFD.Exif])).get(Base.UserComment)
    if isinstance(comment, str):
        comment = comment.encode("latin-1", "replace")
    return _decode_comment(comment, header) if isinstance(comment, bytes) else ""


def _decode_comment(comment: bytes, header: bytes) -> str:
    prefix, rest = comment[:8], comment[8:]
    if prefix == b"UNICODE\0":
        return rest.decode(_utf16_codec(rest, header), "replace").strip("\0\ufeff ")
    if prefix in {b"ASCII\0\0\0", b"\0" * 8}:
        comment = rest
    return comment.decode("utf-8", "replace").strip("\0 ")


def _utf16_codec(text: bytes, header: bytes) -> str:
    """Some programs ignore the byte order of the file, so the zero bytes of the text decide."""
    if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    big, little = text[0:2000:2].count(0), text[1:2000:2].count(0)
    if big == little:
        return "utf-16-be" if header.startswith(b"MM") else "utf-16-le"
    return "utf-16-be" if big > little else "utf-16-le"


MAX_PROMPT = 20_000

_NEGATIVE = "Negative prompt:"
_PARAMETER = re.compile(r"([\w][\w \-/]{0,63}?):\s*(\"(?:\\.|[^\\\"])*\"|[^,]*)(?:,|$)")
_MIN_PARAMETERS = 3
_MAX_PARAMETERS = 400
_MAX_LINES_AFTER = 4
"""Lines that extensions write after the parameters, such as Dynamic Prompts its template."""
_HASH = re.compile(r"([^,:\"]{1,255}):\s*([0-9a-fA-F]{8,64})\b")
_LORA_KINDS = frozenset({"lora", "lyco", "styleinject"})
_REPEATED_COMMAS = re.compile(r"[ \t]*,(?:[ \t]*,)+")
_REPEATED_SPACES = re.compile(r"[ \t]{2,}")


@dataclass(frozen=True, slots=True)
class Infotext:
    """The parts of an infotext; `parameters` are unquoted, with whatever extensions add."""

    prompt: str
    negative: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def lora_hashes(self) -> dict[str, str]:
        """Shortened hashes of the tensors by the name that the WebUI wrote, maybe an alias."""
        pairs = _HASH.findall(self.parameters.get("Lora hashes", "")[:MAX_PROMPT])
        return {name.strip(): value.lower() for name, value in pairs}


def parse_infotext(text: str) -> Infotext:
    """Parses any text; without parameters all of it is the prompt."""
    lines = text.replace("\r\n", "\n").strip("\0\n ").split("\n")
    parameters: dict[str, str] = {}
    for index in range(len(lines) - 1, max(-1, len(lines) - 1 - _MAX_LINES_AFTER), -1):
        parameters = _parse_parameters(lines[index]) if len(lines[index]) <= MAX_PROMPT else {}
        if parameters:
            del lines[index:]
            break
    prompt: list[str] = []
    negative: list[str] | None = None
    for line in lines:
        if negative is None and line.lstrip().startswith(_NEGATIVE):
            negative = [line.lstrip().removeprefix(_NEGATIVE).strip()]
        else:
            (prompt if negative is None else negative).append(line)
    return Infotext(
        "\n".join(prompt).strip()[:MAX_PROMPT],
        "\n".join(negative or []).strip()[:MAX_PROMPT],
        parameters,
    )


def write_hash_name(name: str) -> str:
    """A name as the WebUI writes it into `Lora hashes`."""
    return name.replace(":", "").replace(",", "").strip()


def split_tags(prompt: str) -> tuple[str, tuple[UserTag, ...]]:
    """The prompt without its LoRA tags, and the tags."""
    tokens = tokenise(prompt)
    tags = tuple(tag for tag in user_tags(tokens) if tag.kind in _LORA_KINDS and tag.name)
    rest = "".join(token.text for token in tokens if token.kind != NETWORK)
    lines = (
        _REPEATED_SPACES.sub(" ", _REPEATED_COMMAS.sub(",", line)).strip(" \t,")
        for line in rest.split("\n")
    )
    return "\n".join(line for line in lines if line), tags


def _parse_parameters(line: str) -> dict[str, str]:
    found = dict(_PARAMETER.findall(line)[:_MAX_PARAMETERS])
    if len(found) < _MIN_PARAMETERS or found.keys().isdisjoint(("Steps", "Seed", "Size")):
        return {}
    return {name.strip(): _unquote(value.strip()) for name, value in found.items()}


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')
