"""user.jsonl: the user's decisions, one JSON object per line, append-only."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.store.codec import dump, load
from stylus_ext.core.errors import StoreProblem

_log = logging.getLogger(__name__)
NAME = "user.jsonl"
VERSION = 1
_SEEN = 256


@dataclass(frozen=True, slots=True)
class JournalReading:
    """Records, the new position, the number of unreadable lines, and whether the mark was found."""

    records: tuple[dict[str, Any], ...]
    mark: str
    unreadable: int
    continued: bool


class UserJournal:
    """Appends and flushes records before any database sees them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def append(self, what: str, records: Sequence[Mapping[str, Any]]) -> None:
        lines = "".join(dump({"v": VERSION, "what": what, **record}) + "\n" for record in records)
        try:
            self._write(lines.encode())
        except OSError as error:
            raise StoreProblem(
                f"{self.path} cannot be written: {error.strerror or error}. Nothing was changed."
            ) from error

    def _write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            # A line that was torn by a kill must not swallow the one that follows.
            file.write((b"\n" if self._torn() else b"") + data)
            file.flush()
            os.fsync(file.fileno())

    def _torn(self) -> bool:
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return False
            file.seek(size - 1)
            return file.read(1) != b"\n"

    def repair(self) -> bool:
        """Terminate a last line that a kill left unfinished; returns True if needed."""
        try:
            if not self.path.exists() or not self._torn():
                return False
            self._write(b"")
        except OSError as error:
            raise StoreProblem(
                f"{self.path} cannot be repaired: {error.strerror or error}."
            ) from error
        return True

    def since(self, mark: str) -> JournalReading:
        """Records after `mark`; all records if the file is another one."""
        try:
            before, data, continued = self._read(mark)
        except OSError as error:
            raise StoreProblem(f"{self.path} cannot be read: {error.strerror or error}.") from error
        records, unreadable = [], 0
        for line in data.split(b"\n"):
            if line.strip():
                record = _record(line)
                if record is None:
                    unreadable += 1
                else:
                    records.append(record)
        start = _place(mark) if continued else 0
        return JournalReading(
            tuple(records), _mark(start + len(data), before + data), unreadable, continued
        )

    def _read(self, mark: str) -> tuple[bytes, bytes, bool]:
        """Bytes before and after the mark, and whether the former match it."""
        if not self.path.exists():
            return b"", b"", _place(mark) == 0
        with self.path.open("rb") as file:
            start = _place(mark)
            file.seek(max(0, start - _SEEN))
            before = file.read(min(start, _SEEN))
            if not mark or _mark(start, before) == mark:
                return before, file.read(), True
            file.seek(0)
            return b"", file.read(), False


def _place(mark: str) -> int:
    return int(mark.partition(":")[0] or 0)


def _mark(place: int, before: bytes) -> str:
    return f"{place}:{hashlib.sha256(before[-_SEEN:]).hexdigest()[:16]}"


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = load(line.decode("utf-8-sig"))  # some editors begin a file with a mark
    except (ValueError, RecursionError):
        return None
    right = (
        isinstance(record, dict)
        and isinstance(record.get("what"), str)
        and record.get("v") == VERSION
    )
    return record if right else None
