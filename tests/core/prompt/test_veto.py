"""The negative prompt as a veto."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import vetoed

STOCK = (
    "(worst quality, low quality:1.4), bad hands, extra fingers, lowres, watermark, text,"
    " easynegative, badhandv4, (deformed iris, deformed pupils), normal quality, jpeg artifacts,"
    " signature, username, blurry, ugly, 1girl, nsfw"
)


def test_only_what_is_not_stock_is_a_veto() -> None:
    assert vetoed(parse_prompt(STOCK)) == {("nsfw",)}
    assert vetoed(parse_prompt(f"{STOCK}, anime, a red hat, Naruto_Uzumaki")) == {
        ("nsfw",),
        ("anime",),
        ("red", "hat"),
        ("naruto", "uzumaki"),
    }


@pytest.mark.parametrize(
    "negative", ["", "bad hands", "__negatives__", "<lora:anime:1>", "# anime"]
)
def test_nothing_said_is_nothing_forbidden(negative: str) -> None:
    assert vetoed(parse_prompt(negative)) == frozenset()


@pytest.mark.parametrize(
    ("negative", "phrases"),
    [
        ("(anime:1.3), [3d]", {("anime",), ("3d",)}),
        ("(anime:0.3), hats", {("hat",)}),
        ("[anime|3d]", {("anime",), ("3d",)}),
        ("猫", {("猫",)}),
        ("the, of", set()),
        ("a Cat", {("cat",)}),
    ],
)
def test_a_nuance_is_no_veto_and_alternatives_are_several(
    negative: str, phrases: set[tuple[str, ...]]
) -> None:
    assert vetoed(parse_prompt(negative)) == phrases


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_no_text_makes_an_empty_veto_entry(negative: str) -> None:
    assert () not in vetoed(parse_prompt(negative))
