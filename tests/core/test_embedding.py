from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.entry import (
    VIEWS,
    Edits,
    View,
    embedded_text,
    text_fingerprint,
    vector_fingerprint,
)
from tests.fakes import make_entry


def test_the_two_views_by_hand() -> None:
    entry = make_entry(
        1,
        "Rainy Alley",
        "Wet streets at night.",
        triggers=("rainalley", "neon"),
        tags=("rain", "street"),
    )
    assert embedded_text(entry, "title") == "Rainy Alley. rainalley, neon. rain, street"
    assert (
        embedded_text(entry, "card")
        == "Rainy Alley. rainalley, neon. Wet streets at night.. rain, street"
    )


def test_what_is_not_there_leaves_no_gap() -> None:
    entry = make_entry(1, "Rainy Alley", edits=Edits(text=""))
    assert {embedded_text(entry, view) for view in VIEWS} == {"Rainy Alley"}


def test_the_users_words_are_what_is_embedded() -> None:
    entry = make_entry(
        1,
        "Rainy Alley",
        "old text",
        triggers=("oldword",),
        edits=Edits(text="new text", triggers=("newword",)),
    )
    assert embedded_text(entry, "card") == "Rainy Alley. newword. new text"


@pytest.mark.parametrize("view", VIEWS)
def test_long_lists_are_cut_at_the_same_place_whatever_follows(view: View) -> None:
    tags, triggers = (
        tuple(f"tag{number}" for number in range(40)),
        tuple(f"word{number}" for number in range(40)),
    )
    text = embedded_text(make_entry(1, tags=tags, triggers=triggers), view)
    assert text == embedded_text(make_entry(1, tags=tags[:12], triggers=triggers[:6]), view)
    assert "tag11" in text
    assert "tag12" not in text
    assert "word5" in text
    assert "word6" not in text


@given(st.text(max_size=40), st.text(max_size=40))
def test_texts_have_one_fingerprint_each(one: str, other: str) -> None:
    assert (text_fingerprint(one) == text_fingerprint(other)) == (one == other)
    assert len(text_fingerprint(one)) == 32


@given(st.text("ab\0", max_size=6), st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_a_vector_is_known_by_its_encoder_and_its_text(name: str, one: str, other: str) -> None:
    same = vector_fingerprint(name, text_fingerprint(one)) == vector_fingerprint(
        name, text_fingerprint(other)
    )
    assert same == (one == other)
    assert vector_fingerprint(name, text_fingerprint(one)) != vector_fingerprint(
        name + "x", text_fingerprint(one)
    )


def test_lone_surrogates_of_odd_file_names_have_a_fingerprint() -> None:
    assert text_fingerprint("\udcff") != text_fingerprint("\udcfe")
