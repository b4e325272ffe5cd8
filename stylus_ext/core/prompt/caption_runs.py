"""A sentence in, every run of its words that could be a task out, with what is known of each in
numbers.

The numbers are those of the words at its edges, beside it and within it, so that a small network
can tell good runs from bad.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.prompt.caption_words import STOP, WEAK, WEAK_VERBS
from stylus_ext.core.prompt.captions import ONLY_SPACE, WORD, folded, is_weak, runs

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

LONGEST = 6
"""Words of a run."""

_ENDINGS = ("ing", "ed", "ly", "es", "s", "y", "er", "al", "en", "an", "le")
_LEAST_STEM = 3
_NUMBER = re.compile(r"\d+")

CLASSES = 5 + len(_ENDINGS) + 1
EDGES = 4
"""The words whose numbers stand for a run: before it, its first, its last, behind it; those between
are added up.
"""

PLAIN = LONGEST + 6


@dataclass(frozen=True, slots=True)
class Runs:
    """`places[i]` are the first word of run `i` and the one behind its last, `beside[i]` the words
    around it or -1.
    """

    words: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    classes: Floats
    places: Ints
    beside: Ints
    plain: Floats

    def offsets_of(self, first: int, behind: int) -> tuple[int, int]:
        return self.offsets[first][0], self.offsets[behind - 1][1]


def possible(text: str) -> Runs:
    matches = list(WORD.finditer(text))
    words = tuple(folded(match.group()) for match in matches)
    offsets = tuple((match.start(), match.end()) for match in matches)
    joined = [
        bool(ONLY_SPACE.fullmatch(text, one[1], two[0]))
        for one, two in zip(offsets, offsets[1:], strict=False)
    ]
    places = [
        (first, behind)
        for first in range(len(words))
        for behind in range(first + 1, min(len(words), first + LONGEST) + 1)
        if all(joined[first : behind - 1])
    ]
    beside = [
        (
            first - 1 if first and joined[first - 1] else -1,
            behind if behind < len(words) and joined[behind - 1] else -1,
        )
        for first, behind in places
    ]
    classes = np.array([_classes(word) for word in words], dtype=np.float32).reshape(-1, CLASSES)
    plain = _plain(text, words, offsets, places, beside)
    shape = (-1, 2)
    return Runs(
        words,
        offsets,
        classes,
        np.array(places, dtype=np.int64).reshape(shape),
        np.array(beside, dtype=np.int64).reshape(shape),
        plain,
    )


def numbers(found: Runs, tokens: Floats) -> Floats:
    """One line a run; `tokens` has one line a word."""
    none = np.zeros((1, tokens.shape[1]), dtype=np.float32)
    every = np.concatenate([tokens, none])  # -1 is nobody
    upto = np.concatenate([none, np.cumsum(tokens, axis=0, dtype=np.float32)])
    first, behind = found.places.T
    before, after = found.beside.T
    within = upto[np.maximum(behind - 1, first + 1)] - upto[first + 1]
    return np.concatenate(
        [every[before], every[first], every[behind - 1], every[after], within, found.plain], axis=1
    )


def _classes(word: str) -> list[bool]:
    ending = next(
        (end for end in _ENDINGS if word.endswith(end) and len(word) >= len(end) + _LEAST_STEM), ""
    )
    hand = [
        word in STOP,
        word in WEAK,
        word in WEAK_VERBS,
        _NUMBER.fullmatch(word) is not None,
        "-" in word,
    ]
    return [*hand, *(ending == end for end in (*_ENDINGS, ""))]


def _plain(
    text: str,
    words: tuple[str, ...],
    offsets: tuple[tuple[int, int], ...],
    places: list[tuple[int, int]],
    beside: list[tuple[int, int]],
) -> Floats:
    """How long it is, what the rules make of it, and whether anything stands beside it."""
    by_rule = set(runs(text))
    starts, ends = ({run[side] for run in by_rule} for side in (0, 1))
    weak = [is_weak(word) for word in words]
    out = np.zeros((len(places), PLAIN), dtype=np.float32)
    for line, (first, behind), (before, after) in zip(out, places, beside, strict=True):
        start, end = offsets[first][0], offsets[behind - 1][1]
        line[behind - first - 1] = 1
        line[LONGEST:] = (
            (start, end) in by_rule,
            start in starts,
            end in ends,
            sum(weak[first:behind]),
            before < 0,
            after < 0,
        )
    return out
