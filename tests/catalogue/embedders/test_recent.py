from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.embedders.questions import VectorCache
from stylus_ext.core.ports import Matrix
from tests.fakes import BagEmbedder


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=12))
def test_whatever_is_remembered_the_answer_is_the_same(rounds: list[list[str]]) -> None:
    recent, bag, plain = VectorCache(3), BagEmbedder(dimensions=8), BagEmbedder(dimensions=8)
    for texts in rounds:
        assert np.array_equal(recent.embed(texts, bag.embed), plain.embed(texts))
    made: list[str] = []

    def make(texts: Sequence[str]) -> Matrix:
        made.extend(texts)
        return bag.embed(texts)

    recent.embed(list("abcdefgh"), make)
    assert len(made) >= 8 - 3


def test_the_oldest_is_forgotten_first() -> None:
    asked: list[list[str]] = []
    bag = BagEmbedder(dimensions=8)

    def make(texts: Sequence[str]) -> Matrix:
        asked.append(list(texts))
        return bag.embed(texts)

    recent = VectorCache(2)
    for text in ("a", "b", "a", "c", "a", "b"):
        recent.embed([text], make)
    assert asked == [["a"], ["b"], ["c"], ["b"]]
    recent.embed(["a", "b", *map(str, range(80))], make)
    recent.embed(["a"], make)
    assert len(asked[-1]) == 82
