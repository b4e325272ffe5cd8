from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.selection.lexical.postings import Postings, postings

TERMS, SIZE = 6, 9
TRIPLES = st.lists(
    st.tuples(st.integers(0, TERMS - 1), st.integers(0, SIZE - 1), st.integers(1, 50)), max_size=60
)


def made(triples: list[tuple[int, int, int]]) -> tuple[Postings, np.ndarray]:  # type: ignore[type-arg]
    terms, rows, values = (np.array([triple[at] for triple in triples]) for at in range(3))
    dense = np.zeros((TERMS, SIZE), dtype=np.float32)
    for term, row, value in triples:
        dense[term, row] += value
    held = postings(
        terms.astype(np.int32), rows.astype(np.int32), values.astype(np.float32), TERMS, SIZE
    )
    return held, dense


@given(TRIPLES, st.lists(st.integers(0, TERMS - 1), unique=True))
def test_scores_are_those_of_the_dense_table(
    triples: list[tuple[int, int, int]], asked: list[int]
) -> None:
    held, dense = made(triples)
    factors = [1.0 + term for term in asked]
    wanted = sum(
        (factor * dense[term] for term, factor in zip(asked, factors, strict=True)), np.zeros(SIZE)
    )
    np.testing.assert_allclose(held.scores(asked, factors), wanted, rtol=1e-6)


@given(TRIPLES, st.lists(st.integers(0, SIZE - 1), unique=True))
def test_few_rows_are_those_of_the_dense_table(
    triples: list[tuple[int, int, int]], rows: list[int]
) -> None:
    held, dense = made(triples)
    picked = np.array(sorted(rows), dtype=np.int32)
    np.testing.assert_array_equal(held.at(range(TERMS), picked), dense[:, picked])


@given(TRIPLES)
def test_rows_of_a_word_ascend(triples: list[tuple[int, int, int]]) -> None:
    held, dense = made(triples)
    for term in range(TERMS):
        rows, impacts = held.of(term)
        assert rows.tolist() == np.flatnonzero(dense[term]).tolist()
        assert (impacts > 0).all()
