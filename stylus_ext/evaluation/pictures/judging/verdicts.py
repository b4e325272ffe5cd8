"""Verdicts about pairs of pictures, and the files that keep them: one line per verdict."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from stylus_ext.evaluation.pictures.manifest import append_line, read_lines

LEFT, RIGHT, TIE, NONE = "left", "right", "tie", ""
CHOICES = (LEFT, RIGHT, TIE)
HUMAN_FILE, VLM_FILE, TASK_FILE = "verdicts.jsonl", "vlm-verdicts.jsonl", "vlm-tasks.jsonl"
PREFERENCE = "preference"

Key = tuple[str, str, str, bool]


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """What a judge chose between the arms that were shown left and right.

    `choice` is empty when the verdict was withdrawn, or when a model gave no usable answer. A
    `repeat` shows the same pair with swapped sides.
    """

    judge: str
    criterion: str
    pair: str
    prompt: int
    left: str
    right: str
    choice: str
    repeat: bool = False
    reason: str = ""
    left_score: int | None = None
    right_score: int | None = None
    left_reason: str = ""
    right_reason: str = ""
    at: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0

    def __post_init__(self) -> None:
        if self.choice not in (*CHOICES, NONE):
            raise ValueError(f"{self.choice!r} is not a choice.")

    @property
    def key(self) -> Key:
        return self.judge, self.criterion, self.pair, self.repeat

    @property
    def winner(self) -> str:
        """The arm that was chosen; empty for a tie."""
        return {LEFT: self.left, RIGHT: self.right}.get(self.choice, "")


class Record(Protocol):
    """One line of a file; a later line with the same key replaces it."""

    @property
    def key(self) -> Hashable: ...


R = TypeVar("R", bound=Record)


class RecordFile(Generic[R]):
    """A file with one record per line, each of which is on disk before `add` returns."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._latest: dict[Hashable, R] = {}
        for record in _read(path, kind):
            self._take(record)

    def latest(self) -> list[R]:
        """The records that stand, in the order in which they were added."""
        with self._guard:
            return list(self._latest.values())

    def add(self, record: R) -> None:
        with self._guard:
            append_line(self._path, asdict(cast(Any, record)))
            self._take(record)

    def _take(self, record: R) -> None:
        self._latest.pop(record.key, None)
        self._latest[record.key] = record


class VerdictFile(RecordFile[PairVerdict]):
    def __init__(self, path: Path) -> None:
        super().__init__(path, PairVerdict)


def _read(path: Path, kind: type[R]) -> Iterator[R]:
    """Lines of other programs and versions are skipped."""
    known = {item.name for item in fields(cast(Any, kind))}
    for line in read_lines(path):
        try:
            yield kind(**{name: value for name, value in line.items() if name in known})
        except (TypeError, ValueError):
            continue
