"""What a model answered, checked against what it was shown: tasks of the prompt's words, choices by
key, and notes on the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stylus_ext.backends.chat.fencing import plain
from stylus_ext.backends.composers.chat_cards import Shown
from stylus_ext.backends.composers.chat_places import Places
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Task
from stylus_ext.core.errors import Note
from stylus_ext.core.prompt.parse import Prompt

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


def read_choice(data: Mapping[str, Any], shown: Shown, prompt: Prompt) -> Choice:
    """From an answer that fits the schema; nothing in it is taken at its word."""
    choice, places = Choice(), Places(prompt)
    for row in data.get("tasks", ())[:_MOST_TASKS]:
        task = _task(row["task"], choice, places)
        if task is not None:
            choice.tasks[task.start] = task
            _picks(row["adapters"], task, shown, choice)
    for key, reason in _named(data.get("prune", ()), shown, choice):
        if key not in choice.picks:
            choice.pruned.setdefault(key, reason or "it does not fit")
    return choice


def prune(choice: Choice, data: Mapping[str, Any], shown: Shown) -> Choice:
    """The second turn takes away and never adds."""
    for key, reason in _named(data.get("drop", ()), shown, choice):
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


def _picks(rows: Iterable[Mapping[str, Any]], task: Task, shown: Shown, choice: Choice) -> None:
    for key, reason in _named(rows, shown, choice):
        if key in choice.picks:
            choice.dropped.append(
                f"The model chose {_name(key, shown)} twice; the first place counts."
            )
        else:
            choice.picks[key] = (task.start, reason)


def _named(
    rows: Iterable[Mapping[str, Any]], shown: Shown, choice: Choice
) -> list[tuple[AdapterKey, str]]:
    found = []
    for row in list(rows)[:_MOST_CHOICES]:
        candidate = shown.numbered(row["number"])
        if candidate is None:
            choice.dropped.append("The model chose an adapter that it was not shown.")
        else:
            found.append((candidate.key, said(row["reason"], _REASON)))
    return found


def _name(key: AdapterKey, shown: Shown) -> str:
    return next(one.entry.card.name for one in shown.candidates if one.key == key)


def said(text: str, most: int) -> str:
    """A reason as it may be shown: one line without links and tags; a model may have been talked
    into anything.
    """
    return _TAG.sub("", plain(text, most)).strip(" .")
