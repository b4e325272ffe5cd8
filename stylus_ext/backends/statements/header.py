"""The header of a safetensors file: a path goes in, metadata and the tensors' shapes come out; no
tensor is loaded.

What the file claims is checked against what it is before anything is allocated: the length of the
header, where the tensors end, and the depth of the JSON. A file that fails is a `BadFile`, whose
sentence names the file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeGuard

from stylus_ext.backends.statements.bounded_json import NotJson, parsed
from stylus_ext.core.errors import InvalidInput, Note

LONGEST_HEADER = 64 * 1024 * 1024
_LENGTH = 8
_METADATA = "__metadata__"


class BadFile(InvalidInput):
    """A file in the LoRA folder that cannot be used; `code` says why without English, `why` without
    the file's name.
    """

    def __init__(self, code: str, sentence: str, why: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.why = why

    def note(self) -> Note:
        return Note(self.code, str(self))


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file says of itself; `start` is where the tensors' bytes begin."""

    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    start: int


def read_header(path: Path) -> Header:
    """The header of the file, or `BadFile`."""
    try:
        with path.open("rb") as file:
            return _read(file, path.name)
    except (OSError, ValueError) as error:
        raise _unreadable(path.name, error) from error


def _read(file: BinaryIO, name: str) -> Header:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise BadFile("file_empty", f"{name} is empty; it was skipped. Download it again.")
    start = file.read(_LENGTH)
    if len(start) < _LENGTH:
        raise _damaged(name, "it is too short to be a safetensors file")
    length = struct.unpack("<Q", start)[0]
    if length > LONGEST_HEADER or length > size - _LENGTH:
        raise _damaged(name, f"its header claims {length:,} bytes, and the whole file has {size:,}")
    try:
        content = parsed(file.read(length))
    except NotJson as error:
        raise _damaged(name, f"its header cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise _damaged(name, "its header is not a table of tensors")
    metadata = content.pop(_METADATA, None) or {}
    shapes, end = _tensors(content, name)
    if _LENGTH + length + end != size:
        raise _damaged(
            name, f"its tensors need {_LENGTH + length + end:,} bytes, and the file has {size:,}"
        )
    return Header(_texts(metadata), shapes, _LENGTH + length)


def _tensors(content: Mapping[str, object], name: str) -> tuple[dict[str, tuple[int, ...]], int]:
    """The shape of each tensor, and where the last one ends."""
    shapes = {}
    end = 0
    for tensor, about in content.items():
        if not tensor.isprintable():
            raise _damaged(name, "a tensor has a name that no program writes")
        if not isinstance(about, dict):
            raise _damaged(name, f"the entry of tensor {tensor[:80]!r} is not a table")
        shape, offsets = about.get("shape"), about.get("data_offsets")
        if not (
            _sizes(shape) and _sizes(offsets) and len(offsets) == 2 and offsets[0] <= offsets[1]  # noqa: PLR2004
        ):
            raise _damaged(name, f"tensor {tensor[:80]!r} has no usable shape or place")
        shapes[tensor] = tuple(shape)
        end = max(end, offsets[1])
    return shapes, end


def _sizes(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and (
        not value or (set(map(type, value)) == {int} and min(value) >= 0)
    )


def _texts(metadata: object) -> dict[str, str]:
    """Only the texts: the format allows nothing else, and some trainers write it nevertheless."""
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def _damaged(name: str, why: str) -> BadFile:
    return BadFile(
        "file_damaged", f"{name} is damaged and was skipped: {why}. Download it again.", why
    )


def _unreadable(name: str, error: OSError | ValueError) -> BadFile:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return BadFile(
        "file_unreadable",
        f"{name} could not be read and was skipped ({reason}). Check its permissions.",
    )
