"""English words, and more general ones."""

from __future__ import annotations

import pytest

from stylus_ext.core.prompt.english import english_words, general_terms, things
from stylus_ext.core.prompt.words import common_words, singular


@pytest.mark.parametrize(
    ("word", "general"),
    [("pizza", "food"), ("corgi", "dog"), ("zebra", "animal"), ("kitchen", "room")],
)
def test_a_thing_has_more_general_words(word: str, general: str) -> None:
    assert general in general_terms(word)
    assert {word, general} <= things()


@pytest.mark.parametrize("word", ["headphone", "scroll", "creepy", "the"])
def test_other_words_have_none(word: str) -> None:
    assert general_terms(word) == ()


@pytest.mark.parametrize("word", ["zelda", "xqzvb", "makima"])
def test_names_are_no_english_words(word: str) -> None:
    assert word not in english_words()


def test_words_are_singular_and_none_is_more_general_than_itself() -> None:
    assert english_words().keys() >= common_words().keys()
    for word, terms in english_words().items():
        assert word not in terms
        assert [singular(term) for term in terms] == [*terms]
