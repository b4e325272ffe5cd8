"""What was learned about one LoRA from the user's own pictures, and the card that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylus_ext.core.card import AdapterCard, AdapterKey, Example
from stylus_ext.core.errors import Note

SOURCE = "pictures"


@dataclass(frozen=True, slots=True)
class Lesson:
    """`stem` is that of the file where it is known, else the name as the tags write it.

    `weight` is the median of the weights in the tags; `prompts` are different ones, without their
    tags, the most telling first; `triggers` are probable ones, empty where the pictures do not
    tell.
    """

    stem: str
    pictures: int
    weight: float | None = None
    prompts: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lessons:
    """One lesson a stem; `pictures` were found, `told` of them had a prompt; the notes say what was
    skipped.
    """

    lessons: Mapping[str, Lesson] = field(default_factory=dict)
    pictures: int = 0
    told: int = 0
    notes: tuple[Note, ...] = ()


def card_of(lesson: Lesson, key: AdapterKey) -> AdapterCard:
    """What the pictures state about the adapter that `key` names.

    It has no name, so that every other source's is taken. Without triggers it is weak: even tag
    frequencies say more then.
    """
    return AdapterCard(
        key=key,
        name="",
        source=SOURCE,
        triggers=lesson.triggers,
        weight=lesson.weight,
        weak=not lesson.triggers,
        examples=tuple(Example(prompt, lesson.weight) for prompt in lesson.prompts),
    )
