"""The pool: the few hundred rows that are worth a second look, from words, examples, names and
vectors.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stylus_ext.backends.retrievers.filters import Gate
from stylus_ext.backends.retrievers.lexical import Called, LexicalIndex
from stylus_ext.backends.retrievers.postings import Floats, Ints
from stylus_ext.backends.retrievers.question import Question
from stylus_ext.backends.retrievers.weighed import Words
from stylus_ext.core.ports import Hit, Query, VectorIndex

PER_SPAN = 30
MOST_CALLED = 200
FEW = 4_000
"""Where no more than this many entries may be found at all, each of them is looked at."""

TELLING = 0.7
"""Words that stand in more than half of all cards find nobody; they still count in the features."""


def pool(
    question: Question, query: Query, lexical: LexicalIndex, vectors: VectorIndex, gate: Gate
) -> tuple[Ints, Called]:
    called = lexical.called(question.words)
    allowed = np.flatnonzero(gate.open)
    if len(allowed) <= FEW:
        return allowed.astype(np.int32), called
    most = max(150, query.limits.candidates)
    found = [
        *_by_words(question.words, lexical, gate.open, most),
        _called(called, gate.open),
        *_by_vectors(question, lexical, vectors, gate, most),
    ]
    rows = np.unique(np.concatenate(found))
    return rows[gate.open[rows]].astype(np.int32), called


def _by_words(
    words: Words, lexical: LexicalIndex, allowed: NDArray[np.bool_], most: int
) -> Iterator[NDArray[np.int64]]:
    telling = words.idf >= TELLING
    asked = Words(
        tuple(word for word, keep in zip(words.words, telling, strict=True) if keep),
        words.idf[telling],
    )
    for scores in (lexical.card_scores(asked), lexical.example_scores(asked)):
        yield _best(np.where(allowed, scores, 0), most)


def _best(scores: Floats, most: int) -> NDArray[np.int64]:
    some = np.flatnonzero(scores > 0)
    if len(some) > most:
        some = some[np.argpartition(-scores[some], most - 1)[:most]]
    return some


def _called(called: Called, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    mine = np.flatnonzero(allowed[called.rows])
    if len(mine) > MOST_CALLED:
        mine = mine[np.argsort(-called.masses[mine], kind="stable")[:MOST_CALLED]]
    return called.rows[mine].astype(np.int64)


def _by_vectors(
    question: Question, lexical: LexicalIndex, vectors: VectorIndex, gate: Gate, most: int
) -> Iterator[NDArray[np.int64]]:
    """Spans of captions search by themselves; of tag prompts only the whole, since their tags are
    words.
    """
    rough = question.span_vectors[: len(question.weighed_embedded)]
    alone = np.concatenate([question.vector, rough]) if not question.is_tags else question.vector
    yield _rows(vectors.search("card", question.vector, most, gate.families)[0], lexical)
    for number, hits in enumerate(vectors.search("title", alone, most, gate.families)):
        yield _rows(hits if number == 0 else hits[:PER_SPAN], lexical)


def _rows(hits: list[Hit], lexical: LexicalIndex) -> NDArray[np.int64]:
    """The vectors may be a moment behind or ahead of the store: who is unknown here is passed
    over.
    """
    return np.array(
        [lexical.rows[str(hit.key)] for hit in hits if str(hit.key) in lexical.rows], dtype=np.int64
    )
