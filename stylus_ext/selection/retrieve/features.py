"""Features of a few hundred rows for one question: what words and vectors say, for the whole prompt
and for each span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.ports import VectorIndex
from stylus_ext.selection.lexical import facts as fact
from stylus_ext.selection.lexical.index import (
    NAME,
    TRIGGER,
    LexicalIndex,
    NameMatches,
    QueryWords,
    known,
    numbers_of,
)
from stylus_ext.selection.lexical.postings import Floats, Ints
from stylus_ext.selection.lexical.segment import SATURATION, IndexSegment
from stylus_ext.selection.retrieve.question import RetrievalQuery

TAG_WEIGHTS = np.array([0.67, 0.96, 0.83, 0.44, 1.55, 0.52, 0.09, 2.8, 0.44], dtype=np.float32)
CAPTION_WEIGHTS = np.array([0.67, 0.58, 0.56, 4.8, 2.0, 0.95, 0.3, 1.15, 0.0], dtype=np.float32)


def fused(first: Floats, is_tags: bool) -> Floats:
    return (first @ (TAG_WEIGHTS if is_tags else CAPTION_WEIGHTS)).astype(np.float32)


SPAN_SIGNS = (
    "covered",
    "covered_all",
    "both",
    "close_second",
    "close_third",
    "meant",
    "title_lead",
    "text_lead",
    "alike",
    "alike_covered",
)
AHEAD = 10


def of_spans(
    coverage: Floats, closeness: Floats, meaning: Floats, embedded: Sequence[int]
) -> tuple[Floats, ...]:
    """One array a sign of `SPAN_SIGNS`; each argument has one line a span and one column a row.

    `closeness` is the cosine with the title, `meaning` that with the whole card; the leads are over
    the tenth for the same span, which tells a span that many things are near to from one that has
    its own adapter.
    """
    spans, rows = coverage.shape
    if not spans:
        return tuple(np.zeros(rows, dtype=np.float32) for _ in SPAN_SIGNS)
    alike = (closeness + meaning) / 2
    best = (
        -np.sort(-closeness[list(embedded)], axis=0)[:3]
        if len(embedded)
        else np.zeros((1, rows), dtype=np.float32)
    )
    return (
        coverage.max(axis=0),
        coverage.sum(axis=0) / np.sqrt(np.float32(spans)),
        (coverage * closeness).max(axis=0),
        best[1] if len(best) > 1 else np.zeros(rows, dtype=np.float32),
        best.mean(axis=0),
        meaning.max(axis=0),
        (closeness - _tenth(closeness)).max(axis=0),
        (meaning - _tenth(meaning)).max(axis=0),
        alike.max(axis=0),
        (alike * (0.5 + coverage)).max(axis=0),
    )


def _tenth(values: Floats) -> Floats:
    """Line by line the tenth best."""
    ahead = min(AHEAD, values.shape[1])
    if not ahead:
        return np.zeros((len(values), 1), dtype=np.float32)
    place = values.shape[1] - ahead
    found: Floats = np.partition(values, place, axis=1)[:, place : place + 1]
    return found


def compared(values: Floats) -> Floats:
    """How far each value lies below the highest of its column."""
    return values - values.max(axis=0) if len(values) else values


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


def spoken(segments: Sequence[IndexSegment], asked: QueryWords, rows: Ints) -> Spoken:
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
    out: Spoken, segment: IndexSegment, asked: QueryWords, inside: NDArray[np.int64], rows: Ints
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


FIRST = ("card", "best_example", "examples", "title", "text", "name", "trigger", "span", "exact")
"""What the fixed weights are for; scores of words are divided by the root of the prompt's idf mass.
`exact`: see there.
"""

_WORDS = (
    "card_share",
    "card_rarest",
    "card_count",
    "card_strongest",
    "example_share",
    "example_rarest",
    "example_count",
    "example_second",
    "example_mean",
    "either_share",
    "example_number",
)
_FACTS = {
    "somebody": fact.SOMEBODY,
    "style": fact.STYLE,
    "helper": fact.UTILITY | fact.SLIDER | fact.SPEED,
    "weak": fact.WEAK,
}
_CALLS = ("name_rarity", "name_words", "trigger_rarity")
_USUAL = ("title_usual", "text_usual")
_PROMPT = ("words", "mass", "spans", "penned")
COMPARED = (*FIRST[:8], "card_share", "example_share")
"""What counts also by how far it lies below the best of all rows."""

FEATURES = (
    *FIRST,
    *_WORDS,
    *_FACTS,
    *_CALLS,
    *SPAN_SIGNS,
    *_USUAL,
    *_PROMPT,
    *(f"{name}_below" for name in COMPARED),
    "score",
    "lead",
)
"""The columns of `Features.values`; `score` is that of the fixed weights, `lead` how far it lies
above that of the tenth.
"""


@dataclass(frozen=True, slots=True)
class Features:
    """`coverage` (how much of a span the card's words cover, 0..1) and `closeness` (cosine) have
    one line a span.
    """

    rows: Ints
    values: Floats
    coverage: Floats
    closeness: Floats

    def column(self, name: str) -> Floats:
        values: Floats = self.values[:, FEATURES.index(name)]
        return values


def features(
    question: RetrievalQuery,
    lexical: LexicalIndex,
    vectors: VectorIndex,
    rows: Ints,
    called: NameMatches,
) -> Features:
    words = question.words
    keys = lexical.keys_of(rows)
    impacts = lexical.card_impacts(words, rows)
    said = spoken(lexical.segments, words, rows)
    asked = np.concatenate([question.vector, question.usual, question.span_vectors])
    titles, texts = vectors.cosines("title", asked, keys), vectors.cosines("card", asked, keys)
    closeness, meaning = np.zeros((2, len(question.spans), len(rows)), dtype=np.float32)
    closeness[list(question.embedded)], meaning[list(question.embedded)] = titles[2:], texts[2:]
    coverage, most = _coverage(question, impacts), question.weighed
    first = np.stack(
        (
            impacts.sum(axis=0) / words.scale,
            said.best / words.scale,
            said.together / words.scale,
            titles[0],
            texts[0],
            np.sqrt(_most(called, NAME, rows, called.masses)),
            np.sqrt(_most(called, TRIGGER, rows, called.masses)),
            closeness[:most].max(axis=0, initial=0.0),
            np.sqrt(_exact(question, lexical, rows, called)),
        ),
        axis=1,
    ).astype(np.float32)
    hit, mass = impacts > 0, words.mass or 1.0
    telling = hit * words.idf[:, None]
    more = (
        telling.sum(axis=0) / mass,
        telling.max(axis=0, initial=0.0),
        hit.sum(axis=0),
        impacts.max(axis=0, initial=0.0),
        said.mass / mass,
        said.rarest,
        said.count,
        said.second / words.scale,
        said.mean / words.scale,
        ((hit | said.words) * words.idf[:, None]).sum(axis=0) / mass,
        said.number,
        *(np.not_equal(lexical.facts.flags[rows] & flag, 0) for flag in _FACTS.values()),
        *_rarities(called, rows),
        *of_spans(coverage[:most], closeness[:most], meaning[:most], question.weighed_embedded),
        titles[1],
        texts[1],
        *(
            np.full(len(rows), value)
            for value in (len(words.words), words.mass, most, question.penned)
        ),
    )
    known = np.concatenate([first, np.stack(more, axis=1).astype(np.float32)], axis=1)
    below = compared(known[:, [FEATURES.index(name) for name in COMPARED]])
    score = fused(first, question.is_tags)
    values = np.concatenate([known, below, np.stack((score, score - tenth(score)), axis=1)], axis=1)
    return Features(rows, values, coverage, closeness)


LEAD_OVER = 10


def tenth(scores: Floats) -> float:
    """The tenth best: what is best by chance lies not far above it, however many there are."""
    ahead = min(LEAD_OVER, len(scores))
    return float(np.partition(scores, len(scores) - ahead)[len(scores) - ahead]) if ahead else 0.0


def _rarities(called: NameMatches, rows: Ints) -> Iterator[Floats]:
    rarity = called.masses / np.maximum(called.lengths, 1)
    yield _most(called, NAME, rows, rarity)
    yield _most(called, NAME, rows, called.lengths.astype(np.float32))
    yield _most(called, TRIGGER, rows, rarity)


def _most(called: NameMatches, kind: int, rows: Ints, values: Floats) -> Floats:
    """The most of a value over the names, or the triggers, that stand in the text."""
    out = np.zeros(len(rows), dtype=np.float32)
    if len(rows) and len(called.rows):
        mine = (called.kinds == kind) & np.isin(called.rows, rows)
        np.maximum.at(out, np.searchsorted(rows, called.rows[mine]), values[mine])
    return out


def _exact(
    question: RetrievalQuery, lexical: LexicalIndex, rows: Ints, called: NameMatches
) -> Floats:
    """How much the words tell of a span that is just a name or trigger, word for word: who writes
    one alone means it.
    """
    out = np.zeros(len(rows), dtype=np.float32)
    if not (len(rows) and len(called.rows)):
        return out
    for line in {
        tuple(line.tolist()): line for line in question.lines[: question.weighed]
    }.values():
        words = question.words.only(line)
        alone = lexical.called(words)
        whole = np.isclose(alone.masses, words.mass, rtol=1e-4) & np.isin(alone.rows, rows)
        np.maximum.at(out, np.searchsorted(rows, alone.rows[whole]), alone.masses[whole])
    return out


def _coverage(question: RetrievalQuery, impacts: Floats) -> Floats:
    """The share of what a span's words tell that stands in the card, strong fields counting
    most.
    """
    out = np.zeros((len(question.spans), impacts.shape[1]), dtype=np.float32)
    for number, line in enumerate(question.lines):
        mass = float(question.words.idf[line].sum()) * (1.0 + SATURATION)
        if mass:
            out[number] = impacts[line].sum(axis=0) / mass
    return out
