"""The words of a text with what each tells, and where they stand in a segment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylus_ext.backends.retrievers.postings import Floats, Ints, Offsets
from stylus_ext.backends.retrievers.segment import Segment


@dataclass(frozen=True, slots=True)
class Words:
    """Distinct words of a text, with what each tells in this catalogue."""

    words: tuple[str, ...]
    idf: Floats

    def only(self, places: NDArray[np.int64]) -> Words:
        return Words(tuple(self.words[place] for place in places.tolist()), self.idf[places])

    @property
    def mass(self) -> float:
        return float(self.idf.sum())

    @property
    def scale(self) -> float:
        """What a score is divided by, so that long and short prompts compare."""
        return math.sqrt(self.mass) or 1.0


def known(segment: Segment, asked: Words) -> tuple[list[int], list[float]]:
    """The words that a segment has, by their numbers in it, and what they tell."""
    held = [
        (segment.vocabulary[word], float(idf))
        for word, idf in zip(asked.words, asked.idf, strict=True)
        if word in segment.vocabulary
    ]
    return [term for term, _ in held], [idf for _, idf in held]


def numbers_of(starts: Offsets, counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], Ints]:
    """The numbers of the examples of several entries, one after the other, and where each entry's
    begin.
    """
    begins = np.cumsum(counts) - counts
    return begins, (np.repeat(starts - begins, counts) + np.arange(int(counts.sum()))).astype(
        np.int32
    )
