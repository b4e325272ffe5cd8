"""Verdicts about pairs of pictures, and the files that keep them: one line per verdict."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from stylus_ext.core.refining import Expense
from stylus_ext.evaluation.pictures.manifest import append_line, read_lines

LEFT, RIGHT, TIE, NONE = "left", "right", "tie", ""
CHOICES = (LEFT, RIGHT, TIE)
HUMAN_FILE, VLM_FILE = "verdicts.jsonl", "vlm-verdicts.jsonl"
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

    @property
    def key(self) -> Key:
        return self.judge, self.criterion, self.pair, self.repeat

    @property
    def winner(self) -> str:
        """The arm that was chosen; empty for a tie."""
        return {LEFT: self.left, RIGHT: self.right}.get(self.choice, "")

    @property
    def expense(self) -> Expense:
        return Expense(self.tokens_in, self.tokens_out, self.cost)


class VerdictFile:
    """A file of verdicts, of which the last line for a key counts. A verdict is on disk before
    `add` returns.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._latest: dict[Key, PairVerdict] = {}
        for verdict in _read(path):
            self._take(verdict)

    def latest(self) -> list[PairVerdict]:
        """The verdicts that stand, in the order in which they were given."""
        with self._guard:
            return list(self._latest.values())

    def add(self, verdict: PairVerdict) -> None:
        with self._guard:
            append_line(self._path, asdict(verdict))
            self._take(verdict)

    def _take(self, verdict: PairVerdict) -> None:
        self._latest.pop(verdict.key, None)
        self._latest[verdict.key] = verdict


def _read(path: Path) -> list[PairVerdict]:
    """Lines of other programs and versions are skipped."""
    known = {item.name for item in fields(PairVerdict)}
    found = []
    for line in read_lines(path):
        try:
            verdict = PairVerdict(**{name: value for name, value in line.items() if name in known})
        except TypeError:
            continue
        if verdict.choice in (*CHOICES, NONE):
            found.append(verdict)
    return found
