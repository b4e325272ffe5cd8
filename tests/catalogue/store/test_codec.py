"""Whatever a card, a description or an edit holds, it is read back as it was written."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.store import codec
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.entry import KINDS, STATES, Description, Edits
from stylus_ext.core.errors import InvalidInput
from tests.fakes import make_card

ANY = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["\ufdd0", "\ufdd0d83d", "\ud83d\ude00", "\0"]
)
WEIGHT = st.none() | st.floats(-4, 4)
COUNT = st.none() | st.integers(0, 2**62)
KEY = (
    st.integers(0, 2**40).map(AdapterKey.civitai)
    | st.binary(min_size=32, max_size=32).map(lambda raw: AdapterKey.sha256(raw.hex()))
    | ANY.filter(bool).map(AdapterKey.path)
)
TEXTS = st.lists(ANY, max_size=4).map(tuple)
REMOTE = st.builds(RemoteFile, ANY, st.integers(0, 2**62), st.none() | ANY, ANY)
CARD = st.builds(
    AdapterCard,
    KEY,
    ANY,
    ANY,
    version=ANY,
    model_id=COUNT,
    base_model=ANY,
    kind=ANY,
    tags=TEXTS,
    triggers=TEXTS,
    text=ANY,
    examples=st.lists(st.builds(Example, ANY, WEIGHT), max_size=3).map(tuple),
    images=COUNT,
    preview=ANY,
    weight=WEIGHT,
    negative_text=ANY,
    downloads=COUNT,
    rating=WEIGHT,
    nsfw=st.booleans(),
    weak=st.booleans(),
    creator=ANY,
    licence=ANY,
    remote=st.none() | REMOTE,
    alias=ANY,
    auto_v3=ANY,
    equivalents=st.lists(KEY, max_size=3).map(tuple),
)
DESCRIPTION = st.builds(
    Description,
    ANY,
    st.sampled_from(KINDS),
    ANY,
    ANY,
    weight=WEIGHT,
    slider=st.booleans(),
    speed=st.booleans(),
    utility=st.booleans(),
)
EDITS = st.builds(
    Edits,
    st.sampled_from(STATES),
    st.none() | ANY,
    st.none() | TEXTS,
    WEIGHT,
    st.none() | st.sampled_from(KINDS),
)


@given(ANY)
def test_any_text_fits_into_a_column_and_back(text: str) -> None:
    column = codec.to_column(text)
    column.encode("utf-8")
    assert codec.from_column(column) == text


@given(st.lists(ANY, min_size=2, max_size=2, unique=True))
def test_two_texts_never_share_a_column(texts: list[str]) -> None:
    assert len({codec.to_column(text) for text in texts}) == 2


@given(CARD)
def test_a_card_comes_back(card: AdapterCard) -> None:
    text = codec.card_text(card)
    text.encode("utf-8")
    assert codec.card_of(codec.load(text)) == card


@given(CARD, DESCRIPTION)
def test_a_body_comes_back_through_sqlite(card: AdapterCard, description: Description) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        (text,) = connection.execute("SELECT ?", (codec.body_text(card, description),)).fetchone()
    finally:
        connection.close()
    assert codec.body_of(text) == (card, description)


@given(EDITS)
def test_edits_come_back(edits: Edits) -> None:
    assert codec.edits_of(codec.load(codec.dump(codec.edits_plain(edits)))) == edits


def test_every_field_of_the_types_is_stored() -> None:
    """A field added to a card must not be lost on disk: converters know all that are not plain."""
    card = make_card(
        1,
        tags=("a",),
        triggers=("b",),
        examples=(Example("p", 0.5),),
        remote=RemoteFile("n", 1),
        alias="rain",
        auto_v3="0123456789ab",
        equivalents=(AdapterKey.path("x"),),
    )
    raw = codec.load(codec.card_text(card))
    assert raw == {
        "key": "civitai:1",
        "name": "Rainy Alley",
        "source": "starter",
        "base_model": "SD 1.5",
        "tags": ["a"],
        "triggers": ["b"],
        "examples": [["p", 0.5]],
        "remote": {"name": "n", "size": 1},
        "alias": "rain",
        "auto_v3": "0123456789ab",
        "equivalents": ["path:x"],
    }


def test_fields_that_are_not_known_are_passed_over() -> None:
    raw: dict[str, Any] = {
        **codec.load(codec.card_text(make_card(1, remote=RemoteFile("n", 1)))),
        "mood": "blue",
    }
    raw["remote"] = {**raw["remote"], "mirror": "x"}
    assert codec.card_of(raw) == make_card(1, remote=RemoteFile("n", 1))
    assert codec.edits_of({"state": "never", "mood": 1}) == Edits(state="never")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "x",
        {"state": "sometimes"},
        {"state": 3},
        {"text": 3},
        {"triggers": "abc"},
        {"triggers": [1]},
        {"weight": "1"},
        {"weight": True},
        {"kind": "song"},
    ],
)
def test_edits_written_by_hand_are_checked(raw: Any) -> None:
    with pytest.raises(InvalidInput):
        codec.edits_of(raw)
