"""Card source over the user's own pictures: which LoRA was used with which words and weight.

Nothing is written, and nothing leaves the machine. Stylus does not learn its own choices: a picture
that it chose LoRAs for teaches about the tags that the user wrote, and about the others only if the
user confirmed the set. Weights are learned from the user's tags alone, since Stylus caps its own.
What the user marked as wrong for a prompt teaches nothing there.
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
    parse_infotext,
    read_infotext,
    split_tags,
    write_hash_name,
)
from stylus_ext.catalogue.sources.pictures.triggers import find_triggers, split_pieces
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, LocalFile
from stylus_ext.core.errors import InvalidInput, Note, reason_of
from stylus_ext.core.feedback import REFUSED, Verdict, doubts
from stylus_ext.core.file_names import TagNames
from stylus_ext.core.ports import PastPicture, PictureUse, Progress, Sighting
from stylus_ext.core.prompt.parse import UserTag
from stylus_ext.core.recipes import Recipe

SOURCE = "pictures"
MAX_RECENT = 2000
MAX_EXAMPLES = 8

_STYLUS, _PROMPT_BEFORE_STYLUS, _CONFIRMED = "Stylus", "Stylus prompt", "Stylus kept"
_MAX_SEED = 2**63 - 1
_MAX_NOTES = 20
_MAX_NAMES_IN_NOTE = 5
_MAX_COMPARED = 200
_REPORT_EVERY = 50
_STEP = "reading pictures"

StemFinder = Callable[[str, str], str]
"""The stem of a file, by its name in a tag and its hash in the picture."""


StatedCards = Callable[[Sequence[AdapterKey]], Mapping[AdapterKey, Sequence[AdapterCard]]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the user said of past choices.

    `is_wrong` is asked with a stem and a prompt, `is_kept` with a prompt and the stems of a set.
    """

    is_wrong: Callable[[str, str], bool] = lambda _stem, _prompt: False
    is_kept: Callable[[str, frozenset[str]], bool] = lambda _prompt, _stems: False


logger = logging.getLogger(__name__)


def recent_pictures(folders: Sequence[Path], count: int, progress: Progress) -> list[PastPicture]:
    """The newest pictures that have a prompt, each prompt once."""
    found: dict[tuple[str, str], PastPicture] = {}
    newest = heapq.nlargest(MAX_RECENT, _dated_files(folders))
    for number, (_, path) in enumerate(newest):
        if len(found) >= count:
            break
        progress.report(_STEP, number, len(newest))
        with contextlib.suppress(InvalidInput, OSError):
            text = read_infotext(Path(path))
            if text.strip():
                picture = _past_picture(Path(path).name, parse_infotext(text))
                found.setdefault((picture.prompt, picture.negative), picture)
    return [picture for picture in found.values() if picture.prompt]


def _dated_files(folders: Sequence[Path]) -> Iterator[tuple[float, str]]:
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                if Path(name).suffix.lower() in SUFFIXES:
                    path = os.path.join(parent, name)  # noqa: PTH118
                    with contextlib.suppress(OSError):
                        yield os.path.getmtime(path), path  # noqa: PTH204


def _past_picture(name: str, infotext: Infotext) -> PastPicture:
    """The picture with the prompt as the user wrote it: without tags, and before Stylus."""
    prompt, tags = split_tags(infotext.prompt)
    before, _ = split_tags(infotext.parameters.get(_PROMPT_BEFORE_STYLUS, ""))
    seed = infotext.parameters.get("Seed", "")
    number = int(seed) if seed.isdecimal() and len(seed) < len(str(_MAX_SEED)) else 0
    used = tuple((tag.name, 1.0 if tag.weight is None else tag.weight) for tag in tags)
    return PastPicture(name, before or prompt, infotext.negative, number, used)


@dataclass(frozen=True, slots=True)
class PictureLesson:
    """What the pictures made with one LoRA have in common.

    `stem` is the file's, or the name in the tags if the file is unknown. `weight` is the median of
    the weights in the tags. `prompts` are different ones without tags. `triggers` may be empty.
    """

    stem: str
    pictures: int
    weight: float | None = None
    prompts: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lessons:
    """Lessons by stem, the number of pictures found and of those with infotext, and notes.

    `uses` has every tag of every picture, those that Stylus wrote included.
    """

    lessons: Mapping[str, PictureLesson] = field(default_factory=dict)
    uses: Sequence[TagUse] = ()
    pictures: int = 0
    with_infotext: int = 0
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class TagUse:
    """One file's tag in one picture."""

    stem: str
    path: Path
    made: float
    weight: float


def card_of(lesson: PictureLesson, key: AdapterKey) -> AdapterCard:
    """The card that the pictures give the adapter.

    It has no name, so that any other source's name is used. Without triggers it is weak: even tag
    frequencies say more.
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


@dataclass(slots=True)
class _Uses:
    """The uses of one LoRA so far; prompts with their numbers in `_Counts`."""

    pictures: int = 0
    weights: list[float] = field(default_factory=list)
    prompts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Counts:
    """What was read so far: uses by stem, and every different prompt without tags, numbered."""

    judgement: Judgement
    with_infotext: int = 0
    uses: dict[str, _Uses] = field(default_factory=dict)
    prompts: dict[str, int] = field(default_factory=dict)
    pictures: list[TagUse] = field(default_factory=list)
    texts: set[int] = field(default_factory=set)

    def add_uses(self, text: str, path: Path, infotext: Infotext, stem_of: StemFinder) -> None:
        """Notes what a picture was made with; copies of a picture have the same text."""
        if (seen := hash(text)) in self.texts:
            return
        self.texts.add(seen)
        with contextlib.suppress(OSError):
            made = path.stat().st_mtime
            hashes = infotext.lora_hashes
            weights = {
                stem_of(tag.name, hashes.get(write_hash_name(tag.name), "")): tag.weight
                for tag in reversed(split_tags(infotext.prompt)[1])
            }
            self.pictures += [
                TagUse(stem, path, made, 1.0 if weight is None else round(weight, 3))
                for stem, weight in weights.items()
            ]

    def add(self, infotext: Infotext, stem_of: StemFinder) -> None:
        prompt, tags = split_tags(infotext.prompt)
        hashes = infotext.lora_hashes
        stems = {
            tag.name: stem_of(tag.name, hashes.get(write_hash_name(tag.name), "")) for tag in tags
        }
        for stem in stems.values():
            self.uses.setdefault(stem, _Uses())
        before, own = _written_by_user(infotext)
        is_kept = infotext.parameters.get(_CONFIRMED) or self.judgement.is_kept(
            before, frozenset(stems.values())
        )
        if not is_kept:
            prompt, tags = before, own
        self.with_infotext += 1
        number = self.prompts.setdefault(prompt, len(self.prompts))
        weights = {stems[tag.name]: tag.weight for tag in reversed(own) if tag.name in stems}
        for stem in dict.fromkeys(stems[tag.name] for tag in tags if tag.name in stems):
            if self.judgement.is_wrong(stem, before):
                continue
            uses = self.uses[stem]
            uses.pictures += 1
            uses.prompts.setdefault(prompt, number)
            weight = weights.get(stem)
            uses.weights += [] if weight is None else [weight]

    def lessons(self) -> dict[str, PictureLesson]:
        numbers = {stem: list(uses.prompts.values()) for stem, uses in self.uses.items()}
        triggers = find_triggers(numbers, list(self.prompts))
        return {
            stem: PictureLesson(
                stem,
                uses.pictures,
                round(statistics.median(uses.weights), 3) if uses.weights else None,
                tuple(_most_different([prompt for prompt in uses.prompts if prompt])),
                triggers[stem],
            )
            for stem, uses in sorted(self.uses.items())
        }


def learn(
    folders: Sequence[Path],
    progress: Progress,
    stem_of: StemFinder = lambda name, _: name,
    judgement: Judgement = Judgement(),
) -> Lessons:
    """Reads every picture below `folders`; unreadable ones are skipped with a note."""
    started = time.monotonic()
    notes: list[Note] = []
    paths = list(_pictures(folders, notes))
    counts = _Counts(judgement)
    skipped = 0
    for number, path in enumerate(paths):
        if number % _REPORT_EVERY == 0:
            progress.report(_STEP, number, len(paths))
        try:
            text = read_infotext(path)
        except (InvalidInput, OSError) as error:
            skipped += 1
            if skipped <= _MAX_NOTES:
                reason = getattr(error, "strerror", None) or error
                notes.append(
                    Note(
                        "picture_skipped",
                        f"The picture {path.name} was skipped: {reason_of(reason)}.",
                    )
                )
            continue
        if text:
            infotext = parse_infotext(text)
            counts.add(infotext, stem_of)
            counts.add_uses(text, path, infotext, stem_of)
    progress.report(_STEP, len(paths), len(paths))
    if skipped > _MAX_NOTES:
        notes.append(
            Note("picture_skipped", f"{skipped - _MAX_NOTES} more pictures could not be read.")
        )
    lessons = counts.lessons()
    logger.info(
        "learned about %d LoRAs from %d pictures in %.0f ms",
        len(lessons),
        len(paths),
        1000 * (time.monotonic() - started),
    )
    return Lessons(lessons, counts.pictures, len(paths), counts.with_infotext, tuple(notes))


def _written_by_user(infotext: Infotext) -> tuple[str, tuple[UserTag, ...]]:
    """The prompt without tags and the tags, both before Stylus; it states a prompt it changed."""
    before = infotext.parameters.get(_PROMPT_BEFORE_STYLUS, "")
    changed = before and _STYLUS in infotext.parameters
    return split_tags(before if changed else infotext.prompt)


def _pictures(folders: Sequence[Path], notes: list[Note]) -> Iterator[Path]:
    """The picture files, sorted, each once. Links to folders are not followed."""
    seen: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            notes.append(
                Note(
                    "no_such_folder", f"The picture folder {folder} does not exist. Check its path."
                )
            )
            continue
        for parent, inner, names in os.walk(folder):
            inner.sort()
            for name in sorted(names):
                path = Path(parent, name)
                if path.suffix.lower() not in SUFFIXES:
                    continue
                real = os.path.realpath(path)
                if real not in seen and path.is_file():
                    seen.add(real)
                    yield path


def _most_different(prompts: Sequence[str]) -> Iterator[str]:
    """The first prompt, then always the one that shares least with those already taken."""
    left = {prompt: set(split_pieces(prompt).whole) for prompt in prompts[:_MAX_COMPARED]}
    similarity = dict.fromkeys(left, 0.0)
    for _ in range(min(MAX_EXAMPLES, len(left))):
        prompt = min(left, key=similarity.__getitem__)
        taken = left.pop(prompt)
        yield prompt
        for other, pieces in left.items():
            jaccard = len(taken & pieces) / max(1, len(taken | pieces))
            similarity[other] = max(similarity[other], jaccard)


class PictureSource:
    """Cards of the adapters in `names`, whichever stem, alias or hash the pictures have of them."""

    name = "your pictures"

    def __init__(
        self,
        folders: Sequence[Path],
        names: TagNames,
        verdicts: Sequence[Verdict] = (),
        recipes: Sequence[Recipe] = (),
        stated: StatedCards = lambda _: {},
    ) -> None:
        self._folders = folders
        self._names = names
        self._stems = {key: stem for stem, key in names.stems.items()}
        self._verdicts, self._stated = verdicts, stated
        self._kept = {
            (split_tags(recipe.prompt)[0], frozenset(adapter.key for adapter in recipe.adapters))
            for recipe in recipes
        }
        self.uses: list[PictureUse] = []
        """Of the adapters on disk; complete when `cards` has ended."""

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:  # noqa: ARG002
        judgement = Judgement(self._is_wrong, self._is_kept)
        lessons = learn(self._folders, progress, self._stem_of, judgement)
        yield from (Sighting(note=note) for note in lessons.notes)
        unknown: list[str] = []
        keys = {stem: self._names.key(stem) for stem in lessons.lessons}
        self.uses = [
            PictureUse(key, str(use.path), use.made, use.weight)
            for use in lessons.uses
            if (key := keys.get(use.stem)) is not None
        ]
        stated = self._stated([key for key in keys.values() if key is not None])
        for stem, lesson in lessons.lessons.items():
            key = keys[stem]
            if key is None:
                unknown.append(stem)
            elif lesson.pictures or any(card.source == SOURCE for card in stated.get(key, ())):
                yield Sighting(card=card_of(lesson, key))  # which may take an earlier one back
        if unknown:
            names = ", ".join(unknown[:_MAX_NAMES_IN_NOTE])
            if len(unknown) > _MAX_NAMES_IN_NOTE:
                names += f" and {len(unknown) - _MAX_NAMES_IN_NOTE} more"
            yield Sighting(
                note=Note(
                    "unknown_in_pictures",
                    f"Your pictures use adapters that are not in your folders: {names}.",
                )
            )

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:  # noqa: ARG002
        return []

    def _is_wrong(self, stem: str, prompt: str) -> bool:
        key = self._names.key(stem)
        against = [verdict for verdict in self._verdicts if verdict.key == key]
        return any(doubt.weight >= REFUSED for doubt in doubts(against, prompt).values())

    def _is_kept(self, prompt: str, stems: frozenset[str]) -> bool:
        keys = {key for stem in stems if (key := self._names.key(stem)) is not None}
        return len(keys) == len(stems) and (prompt, frozenset(keys)) in self._kept

    def _stem_of(self, name: str, auto_v3: str) -> str:
        """One stem for all names of an adapter, even if it is on disk more than once."""
        key = self._names.key(name, auto_v3)
        return name if key is None else self._stems.get(key, name)
