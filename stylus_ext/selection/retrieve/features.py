"""Features of a few hundred rows for one query: scores of words and vectors, for the whole prompt
and for its spans. The learned ranker reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.ports import VectorIndex
from stylus_ext.selection.lexical import attributes
from stylus_ext.selection.lexical.index import (
    NAME,
    TRIGGER,
    LexicalIndex,
    Mask,
    NameMatches,
    QueryWords,
    dense,
    numbers_between,
)
from stylus_ext.selection.lexical.segment import SATURATION, Floats, IndexSegment, Ints
from stylus_ext.selection.retrieve.query import RetrievalQuery

MAIN = ("card", "best_example", "examples", "title", "text", "name", "trigger", "span", "exact")
"""The columns with fixed weights. Word scores are divided by the root of the prompt's idf mass;
`exact` is the idf mass of a span that is exactly a name or trigger.
"""

TAG_WEIGHTS = np.array([0.67, 0.96, 0.83, 0.44, 1.55, 0.52, 0.09, 2.8, 0.44], dtype=np.float32)
CAPTION_WEIGHTS = np.array([0.67, 0.58, 0.56, 4.8, 2.0, 0.95, 0.3, 1.15, 0.0], dtype=np.float32)

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
    "document",
)
_FLAGS = {
    "character": attributes.CHARACTER,
    "style": attributes.STYLE,
    "tool": attributes.UTILITY | attributes.SLIDER | attributes.SPEED,
    "weak": attributes.WEAK,
}
_NAMES = ("name_rarity", "name_words", "trigger_rarity") + (
    "name_worth",
    "trigger_worth",
    "exact_worth",
    "called",
)
SPAN_FEATURES = (
    "covered",
    "covered_all",
    "both",
    "close_second",
    "close_third",
    "meaning",
    "title_lead",
    "text_lead",
    "alike",
    "alike_covered",
)
_GENERIC = ("title_usual", "text_usual")
_PROMPT = ("words", "mass", "spans", "tag_likeness")
COMPARED = (*MAIN[:8], "card_share", "example_share", "document")
"""Columns that are also given as the distance below the best of all rows."""

FEATURES = (
    *MAIN,
    *_WORDS,
    *_FLAGS,
    *_NAMES,
    *SPAN_FEATURES,
    *_GENERIC,
    *_PROMPT,
    *(f"{name}_below" for name in COMPARED),
    "score",
    "lead",
)
"""The columns of `Features.values`; the weights in data/ranker.json are for these names. `score`
comes from the fixed weights, `lead` is its distance above the tenth best.
"""

EVERYDAY = 0.6
"""Share of its idf that a word of common English has in a name or trigger."""

CALLED = 9.0
"""Least idf mass (nats) of a name or trigger of several words that can mean nothing else."""

SHORTEST_CALLED, SHORTEST_UNSPACED = 5, 2
"""Least letters of a single coined word, in scripts with spaces and without."""

LEAD_RANK = 10
"""A lead is the distance to this rank: chance matches are not far above it in any catalogue."""


@dataclass(frozen=True, slots=True)
class Features:
    """`coverage` and `closeness` have one line per span and one column per row."""

    rows: Ints
    values: Floats
    coverage: Floats
    closeness: Floats

    def column(self, name: str) -> Floats:
        values: Floats = self.values[:, FEATURES.index(name)]
        return values


def features(
    query: RetrievalQuery,
    lexical: LexicalIndex,
    vectors: VectorIndex,
    rows: Ints,
    matches: NameMatches,
) -> Features:
    words = query.words
    keys = lexical.keys_of(rows)
    impacts = lexical.card_impacts(words, rows)
    examples = example_scores(lexical.segments, words, rows)
    queries = np.concatenate([query.vector, query.generic, query.span_vectors])
    titles, texts = vectors.cosines("title", queries, keys), vectors.cosines("card", queries, keys)
    closeness, meaning = np.zeros((2, len(query.spans), len(rows)), dtype=np.float32)
    closeness[list(query.embedded)], meaning[list(query.embedded)] = titles[2:], texts[2:]
    coverage, ranked = _coverage(query, impacts), query.ranked_spans
    worths, is_span = _worths(words, matches), _whole_spans(query, matches)
    main = np.stack(
        (
            impacts.sum(axis=0) / words.scale,
            examples.best / words.scale,
            examples.together / words.scale,
            titles[0],
            texts[0],
            np.sqrt(_highest(matches, NAME, rows, matches.masses)),
            np.sqrt(_highest(matches, TRIGGER, rows, matches.masses)),
            closeness[:ranked].max(axis=0, initial=0.0),
            np.sqrt(_highest_by_row(matches, rows, matches.masses, is_span)),
        ),
        axis=1,
    ).astype(np.float32)
    hit, mass = impacts > 0, words.mass or 1.0
    rarity = hit * words.idf[:, None]
    more = (
        rarity.sum(axis=0) / mass,
        rarity.max(axis=0, initial=0.0),
        hit.sum(axis=0),
        impacts.max(axis=0, initial=0.0),
        examples.mass / mass,
        examples.rarest,
        examples.count,
        examples.second / words.scale,
        examples.mean / words.scale,
        ((hit | (examples.holders > 0)) * words.idf[:, None]).sum(axis=0) / mass,
        examples.number,
        _document_score(words, impacts, examples.holders),
        *(np.not_equal(lexical.flags[rows] & flag, 0) for flag in _FLAGS.values()),
        *_rarities(matches, rows),
        np.sqrt(_highest(matches, NAME, rows, worths)),
        np.sqrt(_highest(matches, TRIGGER, rows, worths)),
        np.sqrt(_highest_by_row(matches, rows, worths, is_span)),
        _highest_by_row(matches, rows, matches.masses, called(query, matches)),
        *span_features(
            coverage[:ranked], closeness[:ranked], meaning[:ranked], query.ranked_embedded
        ),
        titles[1],
        texts[1],
        *(
            np.full(len(rows), value)
            for value in (len(words.words), words.mass, ranked, query.tag_likeness)
        ),
    )
    known = np.concatenate([main, np.stack(more, axis=1).astype(np.float32)], axis=1)
    below = distance_to_best(known[:, [FEATURES.index(name) for name in COMPARED]])
    score = fixed_score(main, query.tag_likeness)
    lead = score - tenth(score[None])[0]
    values = np.concatenate([known, below, np.stack((score, lead), axis=1)], axis=1)
    return Features(rows, values, coverage, closeness)


def fixed_score(main: Floats, tag_likeness: float) -> Floats:
    weights = tag_likeness * TAG_WEIGHTS + (1.0 - tag_likeness) * CAPTION_WEIGHTS
    return (main @ weights).astype(np.float32)


def distance_to_best(values: Floats) -> Floats:
    """How far each value is below the highest of its column."""
    return values - values.max(axis=0) if len(values) else values


def tenth(values: Floats) -> Floats:
    """The tenth best of each line, as a column."""
    rank = min(LEAD_RANK, values.shape[1])
    if not rank:
        return np.zeros((len(values), 1), dtype=np.float32)
    place = values.shape[1] - rank
    found: Floats = np.partition(values, place, axis=1)[:, place : place + 1]
    return found


def span_features(
    coverage: Floats, closeness: Floats, meaning: Floats, embedded: Sequence[int]
) -> tuple[Floats, ...]:
    """One array per name in `SPAN_FEATURES`; the arguments have one line per span.

    `closeness` is the cosine with the title, `meaning` the one with the whole card. The leads tell
    a span that many adapters are near to from one that has its own adapter.
    """
    spans, rows = coverage.shape
    if not spans:
        return tuple(np.zeros(rows, dtype=np.float32) for _ in SPAN_FEATURES)
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
        (closeness - tenth(closeness)).max(axis=0),
        (meaning - tenth(meaning)).max(axis=0),
        alike.max(axis=0),
        (alike * (0.5 + coverage)).max(axis=0),
    )


def _worths(words: QueryWords, matches: NameMatches) -> Floats:
    """The idf mass of each name and trigger; common English says less about what is meant."""
    shares = np.where(words.everyday(), EVERYDAY, 1.0).astype(np.float32)
    worths: Floats = matches.words @ (words.idf * shares)
    return worths


def _rarities(matches: NameMatches, rows: Ints) -> Iterator[Floats]:
    rarity = matches.masses / np.maximum(matches.lengths, 1)
    yield _highest(matches, NAME, rows, rarity)
    yield _highest(matches, NAME, rows, matches.lengths.astype(np.float32))
    yield _highest(matches, TRIGGER, rows, rarity)


def _highest(matches: NameMatches, kind: int, rows: Ints, values: Floats) -> Floats:
    """For each row the highest value over its names, or triggers, that are in the prompt."""
    return _highest_by_row(matches, rows, values, matches.kinds == kind)


def _highest_by_row(matches: NameMatches, rows: Ints, values: Floats, among: Mask) -> Floats:
    out = np.zeros(len(rows), dtype=np.float32)
    if len(rows) and len(matches.rows):
        chosen = among & np.isin(matches.rows, rows)
        np.maximum.at(out, np.searchsorted(rows, matches.rows[chosen]), values[chosen])
    return out


def _whole_spans(query: RetrievalQuery, matches: NameMatches) -> Mask:
    """Which names and triggers are a whole span, which is then meant as a name."""
    is_span = np.zeros(len(matches.rows), dtype=bool)
    lengths = matches.words.sum(axis=1)
    for names in query.span_names[: query.ranked_spans]:
        for places in names:
            is_whole = matches.words[:, places].sum(axis=1) == len(places)
            is_span |= is_whole & (lengths == len(places)) & (len(places) > 0)
    return is_span


def called(query: RetrievalQuery, matches: NameMatches) -> Mask:
    """Which names and triggers stand in the prompt word for word and can mean nothing else.

    Of one word: a long one that is coined. Of several: side by side, and rare together.
    """
    coined = query.words.coined()
    is_long = np.array([_is_long(word) for word in query.words.words], dtype=bool)
    several = matches.lengths > 1
    alone = ~several & (matches.words & (coined & is_long)).any(axis=1)
    together = several & (matches.masses >= CALLED) & (matches.words & coined).any(axis=1)
    for at in np.flatnonzero(together):
        together[at] = _side_by_side(query.order, np.flatnonzero(matches.words[at]))
    either: Mask = alone | together
    return either


def _is_long(word: str) -> bool:
    return len(word) >= (SHORTEST_CALLED if word.isascii() else SHORTEST_UNSPACED)


def _side_by_side(order: Sequence[NDArray[np.int64]], places: NDArray[np.int64]) -> bool:
    """Whether some phrase of the prompt has exactly these words next to each other."""
    length = len(places)
    return any(
        set(line[start : start + length]) == set(places)
        for line in order
        for start in range(len(line) - length + 1)
    )


def _document_score(words: QueryWords, impacts: Floats, holders: Floats) -> Floats:
    """BM25 of the card and all its examples as one text."""
    idf = words.idf[:, None]
    saturated = np.minimum(impacts / np.maximum(idf, 1e-6), SATURATION + 0.99)
    counts = SATURATION * saturated / (SATURATION + 1.0 - saturated) + holders
    scores = idf * (SATURATION + 1.0) * counts / (counts + SATURATION)
    return np.asarray(scores.sum(axis=0) / words.scale, dtype=np.float32)


def _coverage(query: RetrievalQuery, impacts: Floats) -> Floats:
    """The share of a span's idf mass that is in the card; strong fields count most."""
    out = np.zeros((len(query.spans), impacts.shape[1]), dtype=np.float32)
    for number, names in enumerate(query.span_names):
        for places in names:
            mass = float(query.words.idf[places].sum()) * (1.0 + SATURATION)
            if mass:
                out[number] = np.maximum(out[number], impacts[places].sum(axis=0) / mass)
    return out


@dataclass(frozen=True, slots=True)
class ExampleScores:
    """Scores of the example prompts; one value per row."""

    best: Floats
    second: Floats
    mean: Floats
    together: Floats
    """The score of all examples read as one."""
    mass: Floats
    """The highest idf mass of the words that one example has."""
    rarest: Floats
    count: Floats
    """The most words of the query that one example has."""
    number: Floats
    """How many examples there are."""
    holders: Floats
    """One line per word: how many examples have it."""


def example_scores(
    segments: Sequence[IndexSegment], words: QueryWords, rows: Ints
) -> ExampleScores:
    best, second, mean, together, mass, rarest, count, number = np.zeros(
        (8, len(rows)), dtype=np.float32
    )
    holders = np.zeros((len(words.words), len(rows)), dtype=np.float32)
    out = ExampleScores(best, second, mean, together, mass, rarest, count, number, holders)
    base = 0
    for segment in segments:
        inside = np.flatnonzero((rows >= base) & (rows < base + len(segment.keys)))
        if len(inside):
            _score_examples(out, segment, words, inside, rows[inside] - base)
        base += len(segment.keys)
    return out


def _score_examples(
    out: ExampleScores,
    segment: IndexSegment,
    words: QueryWords,
    inside: NDArray[np.int64],
    rows: Ints,
) -> None:
    """Fill in the scores at the places `inside` from these rows of one segment."""
    starts = segment.example_starts[rows]
    counts = segment.example_starts[rows + 1] - starts
    out.number[inside] = counts
    some = np.flatnonzero(counts)
    places, columns = words.within(segment)
    if not (len(some) and len(places)):
        return
    counts = counts[some]
    begins, numbers = numbers_between(starts[some], counts)
    idf = words.idf[places, None]
    scores = dense(segment.examples, numbers, columns) * idf
    has_word, into, total = scores > 0, inside[some], scores.sum(axis=0)
    masses = has_word * idf
    out.best[into] = np.maximum.reduceat(total, begins)
    out.mean[into] = np.add.reduceat(total, begins) / counts
    out.together[into] = np.maximum.reduceat(scores, begins, axis=1).sum(axis=0)
    out.mass[into] = np.maximum.reduceat(masses.sum(axis=0), begins)
    out.rarest[into] = np.maximum.reduceat(masses.max(axis=0), begins)
    out.count[into] = np.maximum.reduceat(has_word.sum(axis=0), begins)
    order = np.lexsort((-total, np.repeat(np.arange(len(some)), counts)))
    several = counts > 1
    out.second[into[several]] = total[order][begins[several] + 1]
    out.holders[np.ix_(places, into)] = np.add.reduceat(has_word, begins, axis=1, dtype=np.float32)
