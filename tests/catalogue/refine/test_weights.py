"""Weights in examples and texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.refine.rules import MAX_WEIGHT, MIN_WEIGHT, weight_in_text, weight_of
from stylus_ext.core.card import Example
from tests.fakes import make_card


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("Recommended weight: 0.6-0.8", 0.7),
        ("weight 0.6~0.8", 0.7),
        ("weight0.7-0.85 can achieve good effect", 0.775),
        ("strength: .5", 0.5),
        ("Use at 0.7", 0.7),
        ("works best at 0.6 to 0.8 with most models", 0.7),
        ("Weight: between 1 and 0.6", 0.8),
        ("any weight of 1 will do", 1.0),
        ("0.5-0.7 weight", 0.6),
        ("use it at 0.9 strength", 0.9),
        ("Strength 70%", 0.7),
        ("推荐权重0.6～0.8", 0.7),
        ("おすすめの強度は0.8", 0.8),
        ("<lora:alley:0.75> rainy", 0.75),
        ("<lora:alley:1:OUTALL>", 1.0),
        ("weight=1", 1.0),
        ("sweet spot is around a weight of 0.85.", 0.85),
        ("weight 0.3 in v1. Recommended weight 0.9.", 0.9),
        ("Clip skip 2. Weight: 0.5", 0.5),
        ("weight 1.9", 1.5),
        ("weight 0.01", 0.05),
    ],
)
def test_advice_in_text(text: str, weight: float) -> None:
    assert weight_in_text(text) == pytest.approx(weight)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no number of weight here",
        "Steps: 28, CFG scale: 7",
        "denoising strength 0.4",
        "Hires fix with denoise strength: 0.5",
        "weight from -5 to 5",
        "weight -1.0 to 1.0",
        "weight 30",
        "weight: 512x768",
        "Controlnet weight 0.6",
        "weight decay 0.1",
        "SD 1.5",
        "trained on 100 pictures, strength of the style is high",
        "v1.0 uses other data",
        "weight 3.5",
        "noise offset strength 0.1",
    ],
)
def test_other_numbers_are_no_weight(text: str) -> None:
    assert weight_in_text(text) is None


def test_used_weights_outrank_stated_ones() -> None:
    examples = (
        Example("a", 0.5),
        Example("b", 0.9),
        Example("c <lora:x:0.6>"),
        Example("<lora:x:0.1> <lora:y:0.1>"),
        Example("d"),
    )
    assert weight_of(make_card(examples=examples), "weight 1") == pytest.approx(0.6)
    assert weight_of(
        make_card(examples=(Example("d"), Example("e", -1.0), Example("f", 40.0))), "weight 0.8"
    ) == pytest.approx(0.8)
    assert weight_of(make_card(), "nothing") is None


def test_the_numbers_of_sliders_are_not_weights() -> None:
    assert weight_of(make_card(), "weight 1.0", slider=True) is None
    assert weight_of(
        make_card(examples=(Example("a", 0.7),)), "weight 1.0", slider=True
    ) == pytest.approx(0.7)


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            [
                "weight",
                "0.7",
                "-",
                "1",
                "~",
                "2",
                ".5",
                " ",
                "99",
                "%",
                "<lora:a:",
                ">",
                "権重",
                "at",
            ]
        )
    ).map("".join)
)
def test_any_text_gives_a_sane_weight(text: str) -> None:
    weight = weight_in_text(text)
    assert weight is None or MIN_WEIGHT <= weight <= MAX_WEIGHT
