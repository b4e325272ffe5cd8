"""The lexical index: scores of all entries for the words of a prompt, over one or more segments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.prompt.english import english_words
from stylus_ext.core.prompt.words import common_words, content_words, split_compounds
from stylus_ext.selection.lexical.attributes import FAMILY
from stylus_ext.selection.lexical.segment import Floats, IndexSegment, Ints, Offsets, Sparse

Mask = NDArray[np.bool_]

REFERENCE = 1500
"""Size of the catalogue with which weights and thresholds were found."""

COINED_WORD = 5.0
"""Least idf (nats) of a coined word, which few other cards have."""

MOST_JOINED = 3
"""Neighbouring words of a prompt that a card may write as one."""

NAME, TRIGGER = 0, 1
"""Kinds of phrases."""

_COMMONEST, _HALFWAY, _FALL = 24.0, 1000.0, 1.3


def expected_cards(word: str) -> float:
    """How many of REFERENCE cards are expected to have a common English word; 0 for any other."""
    rank = common_words().get(word)
    return 0.0 if rank is None else _COMMONEST / (1.0 + rank / _HALFWAY) ** _FALL


@dataclass(frozen=True, slots=True)
class QueryWords:
    """Distinct words of a text, with their idf in this catalogue."""

    words: tuple[str, ...]
    idf: Floats

    def where(self, keep: Mask) -> QueryWords:
        words = tuple(word for word, kept in zip(self.words, keep, strict=True) if kept)
        return QueryWords(words, self.idf[keep])

    def within(self, segment: IndexSegment) -> tuple[Ints, Ints]:
        """The words that a segment has: their places here, and their columns there."""
        known = [
            (place, segment.vocabulary[word])
            for place, word in enumerate(self.words)
            if word in segment.vocabulary
        ]
        places, columns = np.array(known, dtype=np.int32).reshape(-1, 2).T
        return places, columns

    def coined(self) -> Mask:
        """Which words few cards have, and which are no English."""
        return (self.idf >= COINED_WORD) & ~self.everyday()

    def everyday(self) -> Mask:
        """Which words are English."""
        return np.array([word in english_words() for word in self.words], dtype=bool)

    @property
    def mass(self) -> float:
        return float(self.idf.sum())

    @property
    def scale(self) -> float:
        """Scores are divided by it, so that those of long and short prompts compare."""
        return math.sqrt(self.mass) or 1.0


def dense(matrix: Sparse, rows: NDArray[np.int64] | Ints, columns: Ints) -> Floats:
    """Part of a matrix as a table with one line per column and one column per row."""
    table: Floats = matrix[:, columns][rows].toarray(order="F").T
    return table


def numbers_between(
    starts: Offsets, counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Consecutive numbers from each start on, and where each run begins in the result."""
    begins = np.cumsum(counts) - counts
    return begins, np.repeat(starts - begins, counts) + np.arange(int(counts.sum()))


@dataclass(frozen=True, slots=True)
class NameMatches:
    """Names and triggers whose words are all in a text; one line per match."""

    rows: Ints
    kinds: Ints
    masses: Floats
    """The idf of the words, summed up."""
    lengths: Ints
    words: Mask
    """Which words of the text each match consists of."""

    @classmethod
    def joined(cls, parts: Sequence[NameMatches], words: int) -> NameMatches:
        if not parts:
            none = np.zeros(0, np.int32)
            return cls(none, none, none.astype(np.float32), none, np.zeros((0, words), dtype=bool))
        names = ("rows", "kinds", "masses", "lengths", "words")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels of all entries of an index."""

    segments: tuple[IndexSegment, ...]
    names: tuple[str, ...]
    families: tuple[str, ...]

    @classmethod
    def of(cls, segments: Sequence[IndexSegment]) -> Labels:
        names = dict.fromkeys(name for segment in segments for name in segment.label_columns)
        families = tuple(name[1:] for name in names if name[0] == FAMILY)
        return cls(tuple(segments), tuple(names), families)

    def rows_with(self, wanted: Iterable[str]) -> Mask:
        """Which entries have one of these labels."""
        labels = list(wanted)
        found = [np.zeros(0, dtype=bool)]
        for segment in self.segments:
            known = segment.label_columns
            columns = np.array([known[label] for label in labels if label in known], dtype=np.int32)
            rows = np.zeros(len(segment.keys), dtype=bool)
            rows[segment.labels[:, columns].indices] = True
            found.append(rows)
        return np.concatenate(found)


@dataclass(frozen=True, slots=True)
class LexicalIndex:
    """Rows number the entries of all segments; replaced and removed ones are not `alive`."""

    segments: tuple[IndexSegment, ...]
    rows: Mapping[str, int]
    alive: Mask
    dead: tuple[NDArray[np.int64], ...]
    """By segment its rows that are not alive, numbered within it."""
    flags: Ints
    downloads: Offsets
    labels: Labels

    @classmethod
    def of(
        cls, segments: Sequence[IndexSegment], removed: frozenset[str] = frozenset()
    ) -> LexicalIndex:
        """A key in a later segment replaces the same key in an earlier one."""
        rows: dict[str, int] = {}
        size = 0
        for segment in segments:
            rows.update(zip(segment.keys, range(size, size + len(segment.keys)), strict=True))
            size += len(segment.keys)
        for key in removed:
            rows.pop(key, None)
        alive = np.zeros(size, dtype=bool)
        alive[np.fromiter(rows.values(), dtype=np.int64, count=len(rows))] = True
        ends = np.cumsum([len(segment.keys) for segment in segments], dtype=np.int64)
        return cls(
            tuple(segments),
            rows,
            alive,
            tuple(np.flatnonzero(~part) for part in np.split(alive, ends)[: len(segments)]),
            np.concatenate([np.zeros(0, np.int32), *(segment.flags for segment in segments)]),
            np.concatenate([np.zeros(0, np.int64), *(segment.downloads for segment in segments)]),
            Labels.of(segments),
        )

    def has(self, flag: int) -> Mask:
        return np.not_equal(self.flags & flag, 0)

    def key(self, row: int) -> str:
        for segment in self.segments:
            if row < len(segment.keys):
                return segment.keys[row]
            row -= len(segment.keys)
        raise IndexError(row)

    def keys_of(self, rows: Ints) -> list[AdapterKey]:
        return [_parsed(self.key(row)) for row in rows.tolist()]

    def words_of(self, text: str) -> list[str]:
        """The content words of a text, and neighbours that a card writes as one word."""
        words = content_words(text)
        parts = content_words(split_compounds(text))
        joined = (
            "".join(words[start : start + length])
            for length in range(2, MOST_JOINED + 1)
            for start in range(len(words) - length + 1)
        )
        known = (
            word
            for word in (*joined, *parts)
            if any(word in segment.vocabulary for segment in self.segments)
        )
        return [*words, *dict.fromkeys(word for word in known if word not in words)]

    def weigh(self, words: Sequence[str]) -> QueryWords:
        """Each word once, with its idf."""
        distinct = tuple(dict.fromkeys(words))
        counts = np.zeros(len(distinct), dtype=np.float32)
        for segment, dead in zip(self.segments, self.dead, strict=True):
            places, columns = QueryWords(distinct, counts).within(segment)
            counts[places] += segment.frequency[columns] - _holders(segment, columns, dead)
        counts = _at_reference_size(distinct, counts, max(len(self.rows), 1))
        idf = np.log1p((np.maximum(REFERENCE - counts, 0) + 0.5) / (counts + 0.5))
        return QueryWords(distinct, idf.astype(np.float32))

    def card_scores(self, query: QueryWords) -> Floats:
        """BM25F over the fields of the card."""
        parts = [_scores(segment.card, query, segment) for segment in self.segments]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def example_scores(self, query: QueryWords) -> Floats:
        """BM25 of the best example prompt of each entry."""
        best = np.zeros(len(self.alive), dtype=np.float32)
        base = 0
        for segment in self.segments:
            starts = segment.example_starts
            some = np.flatnonzero(np.diff(starts))
            if len(some):
                scores = _scores(segment.examples, query, segment)
                best[base + some] = np.maximum.reduceat(scores, starts[:-1][some])
            base += len(segment.keys)
        return best

    def card_impacts(self, query: QueryWords, rows: Ints) -> Floats:
        """A table with one line per word and one column per row, idf included."""
        table = np.zeros((len(query.words), len(rows)), dtype=np.float32)
        base = 0
        for segment in self.segments:
            inside = np.flatnonzero((rows >= base) & (rows < base + len(segment.keys)))
            places, columns = query.within(segment)
            if len(inside) and len(places):
                impacts = dense(segment.card, rows[inside] - base, columns)
                table[np.ix_(places, inside)] = impacts * query.idf[places, None]
            base += len(segment.keys)
        return table

    def named(self, query: QueryWords) -> NameMatches:
        parts: list[NameMatches] = []
        base = 0
        for segment in self.segments:
            parts.append(_named(segment, query, base))
            base += len(segment.keys)
        return NameMatches.joined(parts, len(query.words))


def _at_reference_size(words: Sequence[str], counts: Floats, total: int) -> Floats:
    """How many cards would have each word if there were REFERENCE cards.

    This makes rarity mean the same in every catalogue. In a small one, a word found once may be
    coined or common, so counts are scaled less the lower they are, and the cards that are lacking
    are assumed to have common English words as often as cards do.
    """
    factor = REFERENCE / total
    trust = 1.0 if factor <= 1 else 1.0 - 1.0 / np.maximum(counts, 1.0)
    scaled: Floats = (counts * np.power(factor, trust)).astype(np.float32)
    if factor <= 1:
        return scaled
    imagined = np.array([expected_cards(word) for word in words], dtype=np.float32)
    return np.maximum(scaled, counts + imagined * np.float32(1.0 - 1.0 / factor))


@lru_cache(maxsize=16_384)
def _parsed(key: str) -> AdapterKey:
    return AdapterKey.parse(key)


def _holders(segment: IndexSegment, columns: Ints, rows: NDArray[np.int64]) -> Ints:
    """How many of these rows have each word, in the card or in an example."""
    found = dense(segment.card, rows, columns) > 0
    starts = segment.example_starts[rows]
    counts = segment.example_starts[rows + 1] - starts
    some = np.flatnonzero(counts)
    if len(some):
        begins, numbers = numbers_between(starts[some], counts[some])
        in_examples = dense(segment.examples, numbers, columns) > 0
        found[:, some] |= np.logical_or.reduceat(in_examples, begins, axis=1)
    holders: Ints = found.sum(axis=1).astype(np.int32)
    return holders


def _scores(matrix: Sparse, query: QueryWords, segment: IndexSegment) -> Floats:
    """For every row the sum of its impacts under the words of the query, each times its idf."""
    places, columns = query.within(segment)
    chosen = matrix[:, columns]
    chosen.data *= np.repeat(query.idf[places], np.diff(chosen.indptr))
    scores: Floats = chosen.sum(axis=1, dtype=np.float64).astype(np.float32)
    return scores


def _named(segment: IndexSegment, query: QueryWords, base: int) -> NameMatches:
    places, columns = query.within(segment)
    chosen = segment.phrases[:, columns]
    if not chosen.nnz:
        return NameMatches.joined((), len(query.words))
    order = np.argsort(chosen.indices, kind="stable")
    cell_places = np.repeat(places, np.diff(chosen.indptr))[order]
    phrases, starts, counts = np.unique(
        chosen.indices[order], return_index=True, return_counts=True
    )
    masses = np.add.reduceat(query.idf[cell_places], starts).astype(np.float32)
    complete = counts == segment.phrase_lengths[phrases]
    full = phrases[complete]
    words = np.zeros((len(full), len(query.words)), dtype=bool)
    lines = np.repeat(np.arange(len(full)), counts[complete])
    words[lines, cell_places[np.repeat(complete, counts)]] = True
    return NameMatches(
        (segment.phrase_rows[full] + base).astype(np.int32),
        segment.phrase_kinds[full],
        masses[complete],
        segment.phrase_lengths[full],
        words,
    )
