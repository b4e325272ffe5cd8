"""Everyday prompts with the picks that a reader accepts, and those that would be wrong.

A fragment stands for every adapter whose name has it as a word or the beginning of words. `want`
lists groups: one adapter of each group must be picked. `fine` may be picked too. A pick that is
neither has to be read, and written into `fine` or `wrong`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "data"
LIBRARY = DATA / "everyday_library.jsonl"
PROMPTS = DATA / "everyday_prompts.jsonl"
TO_BE_FIXED = DATA / "everyday_to_be_fixed.txt"


@dataclass(frozen=True)
class EverydayCase:
    prompt: str
    want: tuple[tuple[str, ...], ...]
    fine: tuple[str, ...]
    wrong: tuple[str, ...]

    def fragments(self) -> tuple[str, ...]:
        return (*(name for group in self.want for name in group), *self.fine, *self.wrong)

    def faults(self, picks: Iterable[str]) -> list[str]:
        """What a reader would say against these picks; nothing if they are right."""
        names = list(picks)
        accepted = (*(name for group in self.want for name in group), *self.fine)
        faults = [
            f"missing: {' or '.join(group)}"
            for group in self.want
            if not any(is_called(name, group) for name in names)
        ]
        for name in names:
            if is_called(name, self.wrong):
                faults.append(f"wrong: {name}")
            elif not is_called(name, accepted):
                faults.append(f"not judged yet: {name}")
        return faults


def is_called(name: str, fragments: Iterable[str]) -> bool:
    return any(_pattern(fragment).search(name) for fragment in fragments)


@cache
def _pattern(fragment: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9])(?i:{re.escape(fragment)})s?(?![a-z])")


def read_cases() -> list[EverydayCase]:
    return [
        EverydayCase(
            record["prompt"],
            tuple(map(tuple, record["want"])),
            tuple(record["fine"]),
            tuple(record["wrong"]),
        )
        for record in map(json.loads, PROMPTS.read_text("utf-8").splitlines())
    ]


def read_to_be_fixed() -> set[str]:
    """Prompts whose picks are known to be bad; a line goes when they are good, not before."""
    return set(TO_BE_FIXED.read_text("utf-8").splitlines())
