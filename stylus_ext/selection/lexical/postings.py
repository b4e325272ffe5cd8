"""Postings: which rows hold which word, and how strongly, as flat arrays. Counts in, arrays out;
queries without loops over rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Offsets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Postings:
    """`rows[offsets[t]:offsets[t + 1]]` are the rows with word `t`, ascending; `impacts` runs
    beside it.
    """

    offsets: Offsets
    rows: Ints
    impacts: Floats
    size: int

    def of(self, term: int) -> tuple[Ints, Floats]:
        begin, end = self.offsets[term], self.offsets[term + 1]
        return self.rows[begin:end], self.impacts[begin:end]

    def scores(self, terms: Sequence[int], factors: Sequence[float]) -> Floats:
        """For every row the sum of its impacts under these words, each times its factor."""
        parts = [(self.of(term), factor) for term, factor in zip(terms, factors, strict=True)]
        if not parts:
            return np.zeros(self.size, dtype=np.float32)
        rows = np.concatenate([found[0] for found, _ in parts])
        values = np.concatenate([found[1] * np.float32(factor) for found, factor in parts])
        return np.bincount(rows, weights=values, minlength=self.size).astype(np.float32)

    def at(self, terms: Sequence[int], rows: Ints) -> Floats:
        """Impacts of a few rows only: one line a word, one column a row."""
        out = np.zeros((len(terms), len(rows)), dtype=np.float32)
        for line, term in enumerate(terms):
            held, impacts = self.of(term)
            if len(held):
                place = np.minimum(np.searchsorted(held, rows), len(held) - 1)
                out[line] = np.where(held[place] == rows, impacts[place], 0.0)
        return out


def postings(terms: Ints, rows: Ints, values: Floats, vocabulary: int, size: int) -> Postings:
    """From triples in any order; values of the same word and row are added up."""
    order = np.lexsort((rows, terms))
    terms, rows, values = terms[order], rows[order], values[order]
    if len(terms):
        first = np.empty(len(terms), dtype=bool)
        first[0] = True
        np.logical_or(terms[1:] != terms[:-1], rows[1:] != rows[:-1], out=first[1:])
        starts = np.flatnonzero(first)
        values = np.add.reduceat(values, starts).astype(np.float32)
        terms, rows = terms[starts], rows[starts]
    offsets = np.zeros(vocabulary + 1, dtype=np.int64)
    np.cumsum(np.bincount(terms, minlength=vocabulary), out=offsets[1:])
    return Postings(offsets, rows.astype(np.int32), values.astype(np.float32), size)
