"""What a ranker learns from: prompts whose adapters are known in, the signs of what was found for
each out, in folds.

Creators are divided among the folds. What is trained without a fold has seen none of its creators'
adapters, neither as right nor as wrong, and no prompt that has one of them; prompts for which
nothing fits belong to a fold by their text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.candidates import Candidates
from stylus_ext.evaluation.bench_catalogue import id_of
from stylus_ext.evaluation.figures import kind_of

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Lesson:
    """One prompt: a line of `signs` a candidate, which of them are right, and the fold of each
    one's creator.
    """

    kind: str
    is_tags: bool
    fold: int
    folds: frozenset[int]
    signs: NDArray[np.float32]
    right: NDArray[np.bool_]
    owners: NDArray[np.int64]
    answerable: bool


def fold_of(text: str) -> int:
    return part_of(text, FOLDS)


def part_of(text: str, parts: int) -> int:
    """Which of so many parts a text belongs to, the same everywhere."""
    return (
        int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
        % parts
    )


def folds_of(query: Mapping[str, Any], creators: Mapping[str, str]) -> tuple[int, frozenset[int]]:
    """The fold in which a prompt is asked, and all folds that must not learn from it."""
    golds = [fold_of(creators.get(item["id"]) or item["id"]) for item in query["gold"]]
    return (
        (golds[0], frozenset(golds))
        if golds
        else (fold_of(query["prompt"]), frozenset((fold_of(query["prompt"]),)))
    )


def lesson(
    query: Mapping[str, Any], is_tags: bool, found: Candidates, creators: Mapping[str, str]
) -> Lesson:
    golds = {item["id"] for item in query["gold"]}
    ids = [id_of(candidate.key) for candidate in found.found]
    fold, folds = folds_of(query, creators)
    return Lesson(
        kind_of(query),
        is_tags,
        fold,
        folds,
        np.array([candidate.signs for candidate in found.found], dtype=np.float32),
        np.array([found_id in golds for found_id in ids], dtype=bool),
        np.array([fold_of(creators.get(found_id) or found_id) for found_id in ids], dtype=np.int64),
        bool(golds),
    )


def without(lessons: Iterable[Lesson], fold: int | None) -> Iterator[Lesson]:
    """The lessons from which what will be asked in this fold may learn; None leaves out nothing."""
    for each in lessons:
        if fold is None:
            yield each
        elif fold not in each.folds:
            mine = each.owners != fold
            yield Lesson(
                each.kind,
                each.is_tags,
                each.fold,
                each.folds,
                each.signs[mine],
                each.right[mine],
                each.owners[mine],
                each.answerable,
            )


def spread(lessons: Sequence[Lesson]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of every sign over all that was found."""
    every = np.concatenate([each.signs for each in lessons])
    return every.mean(axis=0), every.std(axis=0) + np.float32(1e-3)
