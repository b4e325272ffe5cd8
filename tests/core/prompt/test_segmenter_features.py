from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.segmenter import (
    CLASSES,
    EDGES,
    LONGEST,
    PLAIN,
    network_input,
    possible_runs,
)

SENTENCES = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [
                "a",
                "red",
                "fox",
                ",",
                "sitting",
                "on",
                "two",
                "42",
                "well-kept",
                "\n",
                "снег",
                "cat's",
            ]
        )
    ).map(" ".join),
)


def test_every_run_of_neighbours_is_possible() -> None:
    text = "a red fox"
    found = possible_runs(text)
    said = [
        text[slice(*found.offsets_of(first, behind))] for first, behind in found.places.tolist()
    ]
    assert said == ["a", "a red", "a red fox", "red", "red fox", "fox"]


@pytest.mark.parametrize(
    ("text", "count"), [("fox, owl", 2), ("fox owl", 3), ("fox\nowl", 2), ("", 0), ("...", 0)]
)
def test_no_run_goes_over_what_stands_between(text: str, count: int) -> None:
    assert len(possible_runs(text).places) == count


def test_a_run_knows_its_neighbours() -> None:
    found = possible_runs("a red fox, an owl")
    neighbours = dict(
        zip(map(tuple, found.places.tolist()), map(tuple, found.neighbours.tolist()), strict=True)
    )
    assert neighbours[(1, 2)] == (0, 2)
    assert neighbours[(2, 3)] == (1, -1)
    assert neighbours[(3, 4)] == (-1, 4)


def test_what_the_rules_make_of_it_is_among_the_numbers() -> None:
    found = possible_runs("a red fox")
    rule = found.plain[:, LONGEST]
    assert [tuple(place) for place in found.places[rule > 0].tolist()] == [(1, 3)]


def test_words_within_are_added_up() -> None:
    found = possible_runs("a big red fox")
    tokens = np.arange(4, dtype=np.float32)[:, None] + 1
    values = dict(
        zip(
            map(tuple, found.places.tolist()),
            network_input(found, tokens)[:, : EDGES + 1].tolist(),
            strict=True,
        )
    )
    assert values[(0, 4)] == [0, 1, 4, 0, 5]
    assert values[(1, 3)] == [1, 2, 3, 4, 0]
    assert values[(2, 3)] == [2, 3, 3, 4, 0]


@settings(max_examples=200, deadline=None)
@given(SENTENCES)
def test_whatever_is_written_the_numbers_fit_together(text: str) -> None:
    found = possible_runs(text)
    assert found.classes.shape == (len(found.words), CLASSES)
    assert (found.classes[:, -12:].sum(axis=1) == 1).all()
    values = network_input(found, found.classes)
    assert values.shape == (len(found.places), (EDGES + 1) * CLASSES + PLAIN)
    assert np.isfinite(values).all()
    for first, behind in found.places.tolist():
        assert 0 <= first < behind <= len(found.words)
        assert behind - first <= LONGEST
        start, end = found.offsets_of(first, behind)
        assert text[start:end].strip() == text[start:end]
