"""What a cutter learns from: captions with the tasks that somebody else made of them in, runs and
what each is worth out.

Captions belong to folds by their text, so that a caption that is there twice never is on both
sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.prompt.caption_runs import Floats, Runs, possible
from stylus_ext.core.prompt.cutter import NOBODY, UNKNOWN
from stylus_ext.evaluation.lessons import fold_of
from stylus_ext.evaluation.tasks import listed, share

FEWEST = 3
"""Captions that a word must stand in to get numbers of its own."""

MOST_TASKS = 8


@dataclass(frozen=True, slots=True)
class CutLesson:
    """`matches[i, j]` is how well run `i` matches the wanted task `j`, by the F1 of their words."""

    fold: int
    found: Runs
    matches: Floats


def cut_lesson(record: Mapping[str, Any]) -> CutLesson:
    text, found = record["prompt"], possible(record["prompt"])
    wanted = [frozenset(listed(task)) for task in record["tasks"]][:MOST_TASKS]
    matches = np.zeros((len(found.places), MOST_TASKS), dtype=np.float32)
    for line, (first, behind) in zip(matches, found.places.tolist(), strict=True):
        start, end = found.offsets_of(first, behind)
        mine = frozenset(listed(text[start:end]))
        line[: len(wanted)] = [share(mine, task) for task in wanted]
    return CutLesson(fold_of(" ".join(text.split()).casefold()), found, matches)


def vocabulary(lessons: Sequence[CutLesson]) -> dict[str, int]:
    counts = Counter(word for each in lessons for word in set(each.found.words))
    known = sorted(word for word, count in counts.items() if count >= FEWEST)
    return {word: number for number, word in enumerate(known, UNKNOWN + 1)}


@dataclass(frozen=True, slots=True)
class Sheet:
    """Lessons beside each other: which word stands where around each run, as places in `words`, the
    last of which is nobody's.

    `owners` says to which lesson a run belongs.
    """

    words: NDArray[np.int64]
    classes: Floats
    edges: NDArray[np.int64]
    within: NDArray[np.int64]
    plain: Floats
    matches: Floats
    owners: NDArray[np.int64]
    places: NDArray[np.int64]
    lengths: tuple[int, ...]


def sheet(lessons: Sequence[CutLesson], known: Mapping[str, int]) -> Sheet:
    words = [known.get(word, UNKNOWN) for each in lessons for word in each.found.words]
    lengths = tuple(len(each.found.words) for each in lessons)
    runs = [len(each.found.places) for each in lessons]
    base = np.repeat(np.cumsum((0, *lengths[:-1])), runs)
    places = np.concatenate([each.found.places for each in lessons])
    beside = np.concatenate([each.found.beside for each in lessons])
    first, behind = places.T + base
    before, after = np.where(beside < 0, len(words), beside + base[:, None]).T
    edges = np.stack((before, first, behind - 1, after), axis=1)
    classes = np.concatenate([each.found.classes for each in lessons])
    return Sheet(
        np.array([*words, NOBODY], dtype=np.int64),
        np.concatenate([classes, np.zeros_like(classes[:1])]),
        edges,
        np.stack((first + 1, np.maximum(behind - 1, first + 1)), axis=1),
        np.concatenate([each.found.plain for each in lessons]),
        np.concatenate([each.matches for each in lessons]),
        np.repeat(np.arange(len(lessons)), runs),
        places,
        lengths,
    )
