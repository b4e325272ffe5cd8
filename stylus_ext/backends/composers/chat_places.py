"""Where in a prompt a model's words stand: a text goes in, the place of the same words in the
prompt comes out.

A model quotes loosely: other case, a small word left out, brackets and weights gone. What has other
words has no place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stylus_ext.core.composition import Task
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.tokens import ESCAPE, TEXT
from stylus_ext.core.prompt.words import STOP, singular

_WORD = re.compile(r"[^\W_]+")
_LONGEST = 40
"""Words of a task; more are no task but the prompt again."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int
    segment: int


class Places:
    """Of one prompt."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._words = [word for word in _words_of(prompt) if word.text not in STOP]

    def of(self, text: str, taken: Sequence[Task]) -> Task | None:
        """The first place that no other task has; None where the words do not stand together in one
        segment.
        """
        wanted = [
            word for found in _WORD.findall(text) if (word := singular(found.lower())) not in STOP
        ]
        if not wanted or len(wanted) > _LONGEST:
            return None
        for at, first in enumerate(self._words):
            if first.text != wanted[0]:
                continue
            run = self._words[at : at + len(wanted)]
            if [word.text for word in run] != wanted or run[-1].segment != first.segment:
                continue
            if not any(first.start < task.end and task.start < run[-1].end for task in taken):
                return self._task(first, run[-1])
        return self._within(text.strip(), taken)

    def _task(self, first: _Word, last: _Word) -> Task:
        return Task(self._prompt.text[first.start : last.end], first.start, last.end, first.segment)

    def _within(self, text: str, taken: Sequence[Task]) -> Task | None:
        """In scripts without spaces a task is a part of a word."""
        if text.isascii() or not text:
            return None
        for word in self._words:
            at = self._prompt.text.find(text, word.start, word.end)
            if at >= 0 and not any(at < task.end and task.start < at + len(text) for task in taken):
                return Task(text, at, at + len(text), word.segment)
        return None


def _words_of(prompt: Prompt) -> list[_Word]:
    """Of the plain text alone: weights, tags and wildcards are no words."""
    found = []
    segments = iter(prompt.segments)
    segment = next(segments)
    for token in prompt.tokens:
        if token.kind not in (TEXT, ESCAPE):
            continue
        for word in _WORD.finditer(token.text):
            start = token.start + word.start()
            while start >= segment.end and (following := next(segments, None)) is not None:
                segment = following
            if start < segment.end:
                found.append(
                    _Word(
                        singular(word.group().lower()),
                        start,
                        token.start + word.end(),
                        segment.index,
                    )
                )
    return found
