"""The negative prompt as a veto."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.veto import is_vetoed, vetoed

STOCK = (
    "(worst quality, low quality:1.4), bad hands, extra fingers, lowres, watermark, text, easynegative, badhandv4, "
    "(deformed iris, deformed pupils), normal quality, jpeg artifacts, signature, username, blurry, ugly, 1girl, nsfw"
)


def test_only_what_is_not_stock_is_a_veto() -> None:
    assert vetoed(parse_prompt(STOCK)) == {("nsfw",)}
    assert vetoed(parse_prompt(f"{STOCK}, anime, a red hat, Naruto_Uzumaki")) == {
        ("nsfw",),
        ("anime",),
        ("red", "hat"),
        ("naruto", "uzumaki"),
    }


@pytest.mark.parametrize("negative", ["", "bad hands", "__negatives__", "<lora:anime:1>", "# anime"])
def test_nothing_said_is_nothing_forbidden(negative: str) -> None:
    assert vetoed(parse_prompt(negative)) == frozenset()


@pytest.mark.parametrize(
    ("negative", "names", "refused"),
    [
        ("anime, hats", ["Anime"], True),
        ("anime, hats", ["cat", "hat"], True),
        ("anime", ["anime style"], False),
        ("anime", [], False),
        ("", ["anime"], False),
        ("naruto uzumaki", ["naruto_uzumaki"], True),
        ("(anime:1.3)", ["anime"], True),
        ("[anime]", ["anime"], True),
        ("(anime:0.3)", ["anime"], False),
        ("[anime|3d]", ["3D"], True),
        ("猫", ["猫"], True),
        ("the", ["the", "", "of"], False),
        ("a cat", ["The Cat"], True),
    ],
)
def test_a_candidate_is_refused_by_name(negative: str, names: list[str], refused: bool) -> None:
    assert is_vetoed(vetoed(parse_prompt(negative)), names) is refused


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60), st.text(st.characters(), max_size=20))
def test_no_text_makes_an_empty_veto_entry(negative: str, name: str) -> None:
    veto = vetoed(parse_prompt(negative))
    assert () not in veto
    if not veto:
        assert not is_vetoed(veto, [name])
