"""Folders of the user's own pictures in, lessons out: which LoRA was used with which words and
weight.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.catalogue.sources.pictures.infotext import (
    SUFFIXES,
    Infotext,
    infotext_of,
    parse_infotext,
    without_tags,
    written_with_hash,
)
from stylus_ext.catalogue.sources.pictures.triggers import pieces_of, triggers_of
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, LocalFile
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.naming import TagNames
from stylus_ext.core.ports import OldPicture, Progress, Sighting

MOST_READ = 2000
_BEFORE = "Stylus prompt"
_LAST_SEED = 2**63 - 1


def latest(folders: Sequence[Path], count: int, progress: Progress) -> list[OldPicture]:
    """What says nothing of how it was made is passed over."""
    found: dict[tuple[str, str], OldPicture] = {}
    newest = heapq.nlargest(MOST_READ, _files(folders))
    for number, (_, path) in enumerate(newest):
        if len(found) >= count:
            break
        progress.report("reading pictures", number, len(newest))
        with contextlib.suppress(InvalidInput, OSError):
            text = infotext_of(Path(path))
            if text.strip():
                picture = _picture(Path(path).name, parse_infotext(text))
                found.setdefault((picture.prompt, picture.negative), picture)
    return [picture for picture in found.values() if picture.prompt]


def _files(folders: Sequence[Path]) -> Iterator[tuple[float, str]]:
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                if Path(name).suffix.lower() in SUFFIXES:
                    path = os.path.join(place, name)  # noqa: PTH118
                    with contextlib.suppress(OSError):
                        yield os.path.getmtime(path), path  # noqa: PTH204


def _picture(name: str, said: Infotext) -> OldPicture:
    """The prompt as the user wrote it: without what Stylus or he himself added as tags."""
    plain, tags = without_tags(said.prompt)
    before, _ = without_tags(said.parameters.get(_BEFORE, ""))
    seed = said.parameters.get("Seed", "")
    number = int(seed) if seed.isdecimal() and len(seed) < len(str(_LAST_SEED)) else 0
    used = tuple((tag.name, 1.0 if tag.weight is None else tag.weight) for tag in tags)
    return OldPicture(name, before or plain, said.negative, number, used)


SOURCE = "pictures"


@dataclass(frozen=True, slots=True)
class PictureLesson:
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

    lessons: Mapping[str, PictureLesson] = field(default_factory=dict)
    pictures: int = 0
    told: int = 0
    notes: tuple[Note, ...] = ()


def card_of(lesson: PictureLesson, key: AdapterKey) -> AdapterCard:
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


log = logging.getLogger(__name__)

MOST_PROMPTS = 8
"""Examples that are kept of a LoRA, as different from each other as its pictures have them."""

_MOST_NOTES = 20
_REPORT_EVERY = 50
_MOST_COMPARED = 200
_STEP = "reading pictures"

Stem = Callable[[str, str], str]


def _as_written(name: str, auto_v3: str) -> str:  # noqa: ARG001
    return name


@dataclass(slots=True)
class _Uses:
    """What the pictures with one stem said so far."""

    pictures: int = 0
    weights: list[float] = field(default_factory=list)
    prompts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Reading:
    told: int = 0
    uses: dict[str, _Uses] = field(default_factory=dict)
    prompts: dict[str, int] = field(default_factory=dict)
    """Every different prompt without its tags, numbered."""


def learn(folders: Sequence[Path], progress: Progress, stem: Stem = _as_written) -> Lessons:
    """Reads every picture below `folders`; what cannot be read is skipped with a note. Nothing is
    written.

    `stem` is told the name in a tag and the hash that the picture has of it, and says which file
    that was.
    """
    started = time.monotonic()
    notes: list[Note] = []
    paths = list(_pictures(folders, notes))
    reading = _Reading()
    skipped = 0
    for number, path in enumerate(paths):
        if number % _REPORT_EVERY == 0:
            progress.report(_STEP, number, len(paths))
        try:
            text = infotext_of(path)
        except (InvalidInput, OSError) as problem:
            skipped += 1
            if skipped <= _MOST_NOTES:
                notes.append(
                    Note(
                        "picture_skipped", f"The picture {path.name} was skipped: {_why(problem)}."
                    )
                )
            continue
        if text:
            _note_down(parse_infotext(text), reading, stem)
    progress.report(_STEP, len(paths), len(paths))
    if skipped > _MOST_NOTES:
        notes.append(
            Note(
                "picture_skipped",
                f"{skipped - _MOST_NOTES} more pictures were skipped because they cannot be read.",
            )
        )
    lessons = _lessons(reading)
    log.info(
        "learned about %d LoRAs from %d pictures in %.0f ms",
        len(lessons),
        len(paths),
        1000 * (time.monotonic() - started),
    )
    return Lessons(
        {lesson.stem: lesson for lesson in lessons}, len(paths), reading.told, tuple(notes)
    )


def _pictures(folders: Sequence[Path], notes: list[Note]) -> Iterator[Path]:
    """Sorted, each once; links to folders are not followed, so that no circle is walked."""
    seen: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            notes.append(
                Note(
                    "no_such_folder",
                    f"The folder {folder} does not exist or cannot be read; nothing was learned"
                    " from it.",
                )
            )
            continue
        for root, inner, names in os.walk(folder):
            inner.sort()
            for name in sorted(names):
                path = Path(root, name)
                if (
                    path.suffix.lower() in SUFFIXES
                    and str(path.resolve()) not in seen
                    and path.is_file()
                ):
                    seen.add(str(path.resolve()))
                    yield path


def _why(problem: Exception) -> str:
    return (
        (problem.strerror or "it cannot be opened")
        if isinstance(problem, OSError)
        else str(problem)
    )


def _note_down(infotext: Infotext, reading: _Reading, stem_of: Stem) -> None:
    prompt, tags = without_tags(infotext.prompt)
    hashes = infotext.lora_hashes
    stems = {
        tag.name: stem_of(tag.name, hashes.get(written_with_hash(tag.name), "")) for tag in tags
    }
    reading.told += 1
    number = reading.prompts.setdefault(prompt, len(reading.prompts))
    for stem in dict.fromkeys(stems.values()):
        uses = reading.uses.setdefault(stem, _Uses())
        uses.pictures += 1
        uses.prompts.setdefault(prompt, number)
        uses.weights += [
            tag.weight for tag in tags if stems[tag.name] == stem and tag.weight is not None
        ][:1]


def _lessons(reading: _Reading) -> list[PictureLesson]:
    uses = {stem: list(found.prompts.values()) for stem, found in reading.uses.items()}
    triggers = triggers_of(uses, list(reading.prompts))
    return [
        PictureLesson(
            stem,
            found.pictures,
            round(statistics.median(found.weights), 3) if found.weights else None,
            tuple(_different([prompt for prompt in found.prompts if prompt])),
            triggers[stem],
        )
        for stem, found in sorted(reading.uses.items())
    ]


def _different(prompts: Sequence[str]) -> Iterator[str]:
    """The first, then always the one that shares the smallest part of its pieces with any that was
    taken.
    """
    left = {prompt: set(pieces_of(prompt).whole) for prompt in prompts[:_MOST_COMPARED]}
    likeness = dict.fromkeys(left, 0.0)
    for _ in range(min(MOST_PROMPTS, len(left))):
        prompt = min(left, key=likeness.__getitem__)
        taken = left.pop(prompt)
        yield prompt
        for other, pieces in left.items():
            likeness[other] = max(
                likeness[other], len(taken & pieces) / max(1, len(taken | pieces))
            )


_NAMED = 5


class PictureSource:
    """`names` say whose is which: pictures name an adapter by its stem or alias, and a renamed one
    by its hash alone.
    """

    name = "your pictures"

    def __init__(self, folders: Sequence[Path], names: TagNames) -> None:
        self._folders = folders
        self._names = names
        self._stems = {key: stem for stem, key in names.stems.items()}

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:  # noqa: ARG002
        lessons = learn(self._folders, progress, self._stem)
        yield from (Sighting(note=note) for note in lessons.notes)
        strangers: list[str] = []
        for stem, lesson in lessons.lessons.items():
            key = self._names.key(stem)
            if key is None:
                strangers.append(stem)
            else:
                yield Sighting(card=card_of(lesson, key))
        if strangers:
            more = f" and {len(strangers) - _NAMED} more" if len(strangers) > _NAMED else ""
            said = ", ".join(strangers[:_NAMED]) + more
            yield Sighting(
                note=Note(
                    "unknown_in_pictures",
                    f"Your pictures use adapters that are not in your folders: {said}.",
                )
            )

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:  # noqa: ARG002
        return []

    def _stem(self, name: str, auto_v3: str) -> str:
        """One for all names of an adapter, also where it lies on disk more than once."""
        key = self._names.key(name, auto_v3)
        return name if key is None else self._stems.get(key, name)
