"""What a model answered, checked against what it was shown: tasks of the prompt's words, choices by
key, and notes on the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Task
from stylus_ext.core.errors import Note
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.tokens import ESCAPE, TEXT
from stylus_ext.core.prompt.words import STOP, singular
from stylus_ext.llm.injection_guard import plain
from stylus_ext.selection.compose.llm_prompt import (
    CompositionAnswer,
    NumberedReason,
    PruningAnswer,
    ShownCards,
)

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


_REASON = 160
_MOST_TASKS, _MOST_CHOICES, _MOST_NOTES = 40, 20, 5
_TAG = re.compile(r"lora\s*:|lyco\s*:", re.IGNORECASE)


@dataclass(slots=True)
class Choice:
    """`picks` in the model's order, each key with the start of its task and the reason; `pruned`
    are to be left out, and why.
    """

    tasks: dict[int, Task] = field(default_factory=dict)
    picks: dict[AdapterKey, tuple[int, str]] = field(default_factory=dict)
    pruned: dict[AdapterKey, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    def notes(self) -> tuple[Note, ...]:
        told = list(dict.fromkeys(self.dropped))
        more = (
            f" And {len(told) - _MOST_NOTES} more of its answer." if len(told) > _MOST_NOTES else ""
        )
        return tuple(
            Note("chat_dropped", text)
            for text in [
                *told[: _MOST_NOTES - 1],
                *(f"{one}{more}" for one in told[_MOST_NOTES - 1 : _MOST_NOTES]),
            ]
        )


def read_choice(answer: CompositionAnswer, shown: ShownCards, prompt: Prompt) -> Choice:
    """From an answer that fits the schema; nothing in it is taken at its word."""
    choice, places = Choice(), Places(prompt)
    for row in answer.tasks[:_MOST_TASKS]:
        task = _task(row.task, choice, places)
        if task is not None:
            choice.tasks[task.start] = task
            _picks(row.adapters, task, shown, choice)
    for key, reason in _named(answer.prune, shown, choice):
        if key not in choice.picks:
            choice.pruned.setdefault(key, reason or "it does not fit")
    return choice


def prune(choice: Choice, answer: PruningAnswer, shown: ShownCards) -> Choice:
    """The second turn takes away and never adds."""
    for key, reason in _named(answer.drop, shown, choice):
        if choice.picks.pop(key, None) is not None:
            choice.pruned[key] = reason or "it does not fit well enough"
    return choice


def _task(text: str, choice: Choice, places: Places) -> Task | None:
    """One that was named twice is one task."""
    same = next(
        (task for task in choice.tasks.values() if task.text.casefold() == text.strip().casefold()),
        None,
    )
    if same is not None:
        return same
    task = places.of(text, list(choice.tasks.values()))
    if task is None:
        choice.dropped.append(
            "The model named a task that is no part of the prompt, or of another task's words:"
            f" '{said(text, 40)}'."
        )
    return task


def _picks(rows: Sequence[NumberedReason], task: Task, shown: ShownCards, choice: Choice) -> None:
    for key, reason in _named(rows, shown, choice):
        if key in choice.picks:
            choice.dropped.append(
                f"The model chose {_name(key, shown)} twice; the first place counts."
            )
        else:
            choice.picks[key] = (task.start, reason)


def _named(
    rows: Sequence[NumberedReason], shown: ShownCards, choice: Choice
) -> list[tuple[AdapterKey, str]]:
    found = []
    for row in rows[:_MOST_CHOICES]:
        candidate = shown.numbered(row.number)
        if candidate is None:
            choice.dropped.append("The model chose an adapter that it was not shown.")
        else:
            found.append((candidate.key, said(row.reason, _REASON)))
    return found


def _name(key: AdapterKey, shown: ShownCards) -> str:
    return next(one.entry.card.name for one in shown.candidates if one.key == key)


def said(text: str, most: int) -> str:
    """A reason as it may be shown: one line without links and tags; a model may have been talked
    into anything.
    """
    return _TAG.sub("", plain(text, most)).strip(" .")
