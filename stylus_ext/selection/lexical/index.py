"""The lexical index: words of a prompt in, scores of all entries out. One or more segments, and
which rows still count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.card import AdapterKey
from stylus_ext.selection.lexical.facts import EntryFacts, Labels, joined_facts, joined_labels
from stylus_ext.selection.lexical.postings import Floats, Ints, Offsets
from stylus_ext.selection.lexical.segment import IndexSegment

FILE = Path(__file__).resolve().parents[2] / "data" / "common_words.txt"

COMMONEST, HALFWAY, FALL = 24.0, 1000.0, 1.3
"""Cards in 1,500 that have one of the commonest words; that of the word in line n is COMMONEST / (1
+ n / HALFWAY) ** FALL.
"""


@cache
def _lines() -> dict[str, int]:
    return {word: number for number, word in enumerate(FILE.read_text("ascii").split())}


def expected(word: str) -> float:
    """In how many of 1,500 cards the word is to be expected; none where it is no common word."""
    number = _lines().get(word)
    return 0.0 if number is None else COMMONEST / (1.0 + number / HALFWAY) ** FALL


@dataclass(frozen=True, slots=True)
class QueryWords:
    """Distinct words of a text, with what each tells in this catalogue."""

    words: tuple[str, ...]
    idf: Floats

    def only(self, places: NDArray[np.int64]) -> QueryWords:
        return QueryWords(tuple(self.words[place] for place in places.tolist()), self.idf[places])

    @property
    def mass(self) -> float:
        return float(self.idf.sum())

    @property
    def scale(self) -> float:
        """What a score is divided by, so that long and short prompts compare."""
        return math.sqrt(self.mass) or 1.0


def known(segment: IndexSegment, asked: QueryWords) -> tuple[list[int], list[float]]:
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


NAME, TRIGGER = 0, 1

REFERENCE = 1500
"""Entries of the catalogue that weights and thresholds were found with."""


@dataclass(frozen=True, slots=True)
class NameMatches:
    """Whose name or trigger stands wholly in the text, how much its words tell, and how many they
    are.
    """

    rows: Ints
    kinds: Ints
    masses: Floats
    lengths: Ints

    @classmethod
    def nobody(cls) -> NameMatches:
        return cls(
            np.zeros(0, np.int32),
            np.zeros(0, np.int32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int32),
        )


@dataclass(frozen=True, slots=True)
class LexicalIndex:
    """Rows number the entries of all segments in their order; `alive` leaves out what was replaced
    or removed.
    """

    segments: tuple[IndexSegment, ...]
    alive: NDArray[np.bool_]
    facts: EntryFacts
    rows: Mapping[str, int]
    labels: Labels
    dead: tuple[Ints, ...]
    """By segment the rows that do not count any more, numbered within it."""

    @classmethod
    def of(
        cls, segments: Sequence[IndexSegment], gone: frozenset[str] = frozenset()
    ) -> LexicalIndex:
        """A key in a later segment replaces the one before."""
        rows: dict[str, int] = {}
        base = 0
        for segment in segments:
            rows.update(zip(segment.keys, range(base, base + len(segment)), strict=True))
            base += len(segment)
        for key in gone:
            rows.pop(key, None)
        alive = np.zeros(base, dtype=bool)
        alive[np.fromiter(rows.values(), dtype=np.int64, count=len(rows))] = True
        ends = np.cumsum([len(segment) for segment in segments])
        dead = (
            tuple(np.flatnonzero(~part).astype(np.int32) for part in np.split(alive, ends[:-1]))
            if segments
            else ()
        )
        facts, labels = (
            joined_facts([segment.facts for segment in segments]),
            joined_labels([segment.labels for segment in segments]),
        )
        return cls(tuple(segments), alive, facts, rows, labels, dead)

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, row: int) -> str:
        for segment in self.segments:
            if row < len(segment):
                return segment.keys[row]
            row -= len(segment)
        raise IndexError(row)

    def keys_of(self, rows: Ints) -> list[AdapterKey]:
        return [_parsed(self.key(row)) for row in rows.tolist()]

    def weigh(self, words: Sequence[str]) -> QueryWords:
        distinct = tuple(dict.fromkeys(words))
        counts = np.zeros(len(distinct), dtype=np.float32)
        for segment, dead in zip(self.segments, self.dead, strict=True):
            held = {
                at: segment.vocabulary[word]
                for at, word in enumerate(distinct)
                if word in segment.vocabulary
            }
            terms = list(held.values())
            counts[list(held)] += segment.frequency[terms] - _holders(segment, terms, dead)
        counts = _as_of_reference(distinct, counts, max(len(self.rows), 1))
        return QueryWords(
            distinct,
            np.log1p((np.maximum(REFERENCE - counts, 0) + 0.5) / (counts + 0.5)).astype(np.float32),
        )

    def card_scores(self, asked: QueryWords) -> Floats:
        """BM25F over the card's fields."""
        return self._joined(
            [segment.card.scores(*known(segment, asked)) for segment in self.segments]
        )

    def example_scores(self, asked: QueryWords) -> Floats:
        """BM25 of the best of an entry's example prompts."""
        return self._joined([_best_example(segment, asked) for segment in self.segments])

    def card_impacts(self, asked: QueryWords, rows: Ints) -> Floats:
        """For a few rows: one line a word, one column a row, idf included."""
        out = np.zeros((len(asked.words), len(rows)), dtype=np.float32)
        base = 0
        for segment in self.segments:
            inside = np.flatnonzero((rows >= base) & (rows < base + len(segment)))
            held = [
                (at, segment.vocabulary[word])
                for at, word in enumerate(asked.words)
                if word in segment.vocabulary
            ]
            if len(inside) and held:
                lines = np.array([at for at, _ in held])
                found = segment.card.at(
                    [term for _, term in held], (rows[inside] - base).astype(np.int32)
                )
                out[np.ix_(lines, inside)] = found * asked.idf[lines, None]
            base += len(segment)
        return out

    def called(self, asked: QueryWords) -> NameMatches:
        """The names and triggers of which every word stands in the text."""
        parts: list[NameMatches] = []
        base = 0
        for segment in self.segments:
            found = _called(segment, asked)
            parts.append(
                NameMatches(
                    (found.rows + base).astype(np.int32), found.kinds, found.masses, found.lengths
                )
            )
            base += len(segment)
        if not parts:
            return NameMatches.nobody()
        return NameMatches(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.kinds for part in parts]),
            np.concatenate([part.masses for part in parts]),
            np.concatenate([part.lengths for part in parts]),
        )

    @staticmethod
    def _joined(parts: list[Floats]) -> Floats:
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _as_of_reference(words: Sequence[str], counts: Floats, total: int) -> Floats:
    """How many entries would have a word if there were REFERENCE of them, so that rarity means the
    same in any catalogue.

    In a small one a word that stands once may be coined or common: the oftener, the more is
    believed; and the cards that are lacking are imagined to have the common words of English as
    often as cards have them.
    """
    factor = REFERENCE / total
    trust = 1.0 if factor <= 1 else 1.0 - 1.0 / np.maximum(counts, 1.0)
    scaled: Floats = (counts * np.power(factor, trust)).astype(np.float32)
    if factor <= 1:
        return scaled
    imagined = np.array([expected(word) for word in words], dtype=np.float32) * np.float32(
        1.0 - 1.0 / factor
    )
    return np.maximum(scaled, counts + imagined)


@lru_cache(maxsize=16_384)
def _parsed(key: str) -> AdapterKey:
    return AdapterKey.parse(key)


def _holders(segment: IndexSegment, terms: Sequence[int], rows: Ints) -> Ints:
    """In how many of these rows each word stands, be it in the card or in an example."""
    found = segment.card.at(terms, rows) > 0
    starts = segment.example_starts[rows]
    counts = (segment.example_starts[rows + 1] - starts).astype(np.int64)
    some = np.flatnonzero(counts)
    if len(some):
        begins, numbers = numbers_of(starts[some], counts[some])
        spoken = segment.examples.at(terms, numbers) > 0
        found[:, some] |= np.logical_or.reduceat(spoken, begins, axis=1)
    holders: Ints = found.sum(axis=1).astype(np.int32)
    return holders


def _best_example(segment: IndexSegment, asked: QueryWords) -> Floats:
    starts = segment.example_starts
    best = np.zeros(len(segment), dtype=np.float32)
    counts = np.diff(starts)
    some = np.flatnonzero(counts)
    if len(some):
        single = segment.examples.scores(*known(segment, asked))
        best[some] = np.maximum.reduceat(single, starts[:-1][some])
    return best


def _called(segment: IndexSegment, asked: QueryWords) -> NameMatches:
    terms, factors = known(segment, asked)
    held = [segment.phrases.of(term)[0] for term in terms]
    if not held:
        return NameMatches.nobody()
    numbers = np.concatenate(held)
    masses = np.repeat(np.array(factors, dtype=np.float32), [len(part) for part in held])
    order = np.argsort(numbers, kind="stable")
    phrases, starts, counts = np.unique(numbers[order], return_index=True, return_counts=True)
    if not len(phrases):
        return NameMatches.nobody()
    sums = np.add.reduceat(masses[order], starts).astype(np.float32)
    whole = counts == segment.phrase_lengths[phrases]
    full = phrases[whole]
    return NameMatches(
        segment.phrase_rows[full],
        segment.phrase_kinds[full],
        sums[whole],
        segment.phrase_lengths[full],
    )
