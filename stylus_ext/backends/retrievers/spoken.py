"""What the example prompts of a few entries say of the words that are asked for. Segments and rows
in, arrays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylus_ext.backends.retrievers.postings import Floats, Ints
from stylus_ext.backends.retrievers.segment import Segment
from stylus_ext.backends.retrievers.weighed import Words, known, numbers_of


@dataclass(frozen=True, slots=True)
class Spoken:
    """One value a row. `words` has one line a word: does any example have it?"""

    best: Floats
    second: Floats
    mean: Floats
    together: Floats
    """The score of all examples read as one."""
    mass: Floats
    """What the asked words tell that stand in one example, the best in this."""
    rarest: Floats
    count: Floats
    number: Floats
    words: NDArray[np.bool_]


def spoken(segments: Sequence[Segment], asked: Words, rows: Ints) -> Spoken:
    best, second, mean, together, mass, rarest, count, number = np.zeros(
        (8, len(rows)), dtype=np.float32
    )
    out = Spoken(
        best,
        second,
        mean,
        together,
        mass,
        rarest,
        count,
        number,
        np.zeros((len(asked.words), len(rows)), dtype=bool),
    )
    base = 0
    for segment in segments:
        inside = np.flatnonzero((rows >= base) & (rows < base + len(segment)))
        if len(inside):
            _fill(out, segment, asked, inside, rows[inside] - base)
        base += len(segment)
    return out


def _fill(
    out: Spoken, segment: Segment, asked: Words, inside: NDArray[np.int64], rows: Ints
) -> None:
    starts = segment.example_starts[rows]
    counts = (segment.example_starts[rows + 1] - starts).astype(np.int64)
    out.number[inside] = counts
    some = np.flatnonzero(counts)
    terms, telling = known(segment, asked)
    if not (len(some) and terms):
        return
    begins, numbers = numbers_of(starts[some], counts[some])
    factors = np.array(telling, dtype=np.float32)[:, None]
    found = segment.examples.at(terms, numbers) * factors
    said, into, single = found > 0, inside[some], found.sum(axis=0)
    masses = said * factors
    out.best[into] = np.maximum.reduceat(single, begins)
    out.mean[into] = np.add.reduceat(single, begins) / counts[some]
    out.together[into] = np.maximum.reduceat(found, begins, axis=1).sum(axis=0)
    out.mass[into] = np.maximum.reduceat(masses.sum(axis=0), begins)
    out.rarest[into] = np.maximum.reduceat(masses.max(axis=0), begins)
    out.count[into] = np.maximum.reduceat(said.sum(axis=0), begins)
    order = np.lexsort((-single, np.repeat(np.arange(len(some)), counts[some])))
    several = counts[some] > 1
    out.second[into[several]] = single[order][begins[several] + 1]
    places = np.array([at for at, word in enumerate(asked.words) if word in segment.vocabulary])
    out.words[np.ix_(places, into)] = np.logical_or.reduceat(said, begins, axis=1)
