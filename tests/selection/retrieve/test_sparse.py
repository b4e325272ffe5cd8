"""Sparse matrices of a segment against the same arithmetic on dense tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.prompt.words import content_words
from stylus_ext.selection.lexical.index import LexicalIndex, dense
from stylus_ext.selection.lexical.segment import IndexSegment, build
from tests.fakes import make_entry

WORDS = "heron copper train teapot velvet gown".split()
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
CARDS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=9)


def segment_of(cards: list[tuple[str, str]]) -> IndexSegment:
    return build(make_entry(number, name, text) for number, (name, text) in enumerate(cards, 1))


def table(matrix: Any) -> np.ndarray:  # type: ignore[type-arg]
    """A dense table, filled cell by cell."""
    out = np.zeros(matrix.shape, dtype=np.float32)
    for column in range(matrix.shape[1]):
        for at in range(matrix.indptr[column], matrix.indptr[column + 1]):
            out[matrix.indices[at], column] += matrix.data[at]
    return out


@given(CARDS)
def test_a_cell_is_filled_where_the_card_has_the_word(cards: list[tuple[str, str]]) -> None:
    segment = segment_of(cards)
    impacts = table(segment.card)
    for row, (name, text) in enumerate(cards):
        words = set(content_words(f"{name} {text}"))
        for word, column in segment.vocabulary.items():
            assert not (word in words and not impacts[row, column])


@given(CARDS)
def test_rows_ascend_within_a_column_and_cells_are_positive(cards: list[tuple[str, str]]) -> None:
    segment = segment_of(cards)
    for matrix in (segment.card, segment.examples, segment.phrases, segment.labels):
        for column in range(matrix.shape[1]):
            rows = matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]]
            assert (np.diff(rows) > 0).all()
        assert (matrix.data > 0).all()


@given(CARDS, st.lists(st.sampled_from(WORDS), unique=True))
def test_scores_are_those_of_the_dense_table(
    cards: list[tuple[str, str]], asked: list[str]
) -> None:
    segment = segment_of(cards)
    index = LexicalIndex.of([segment])
    query = index.weigh(asked)
    places, columns = query.within(segment)
    wanted = table(segment.card)[:, columns] @ query.idf[places]
    np.testing.assert_allclose(index.card_scores(query), wanted, rtol=1e-5)


@given(CARDS, st.data())
def test_part_of_a_matrix_is_that_of_the_dense_table(
    cards: list[tuple[str, str]], data: st.DataObject
) -> None:
    matrix = segment_of(cards).card
    rows, columns = (
        np.array(
            data.draw(st.lists(st.integers(0, size - 1), unique=True) if size else st.just([])),
            dtype=np.int32,
        )
        for size in matrix.shape
    )
    part = dense(matrix, rows, columns)
    assert part.flags.c_contiguous or not part.size
    np.testing.assert_array_equal(part, table(matrix)[np.ix_(rows, columns)].T)
