"""Weights in examples and texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.refine.weights import (
    MAX_WEIGHT,
    MIN_WEIGHT,
    Weight,
    weight_in_text,
    weight_of,
)
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
        "CFG Scale: 5 to 10",
        "Sampling steps 1 to 2, CFG scale 1.5",
        "Make sure to change the weight if needed (by default it's :1)",
        "LORA weight for txt2img",
        "a weighted design such as (kimono:1.2)",
        "try different weights of the tag (red kimono:1.2)",
        "before it had a weight of 2mb",
        "scale_weight_norms=1.0",
        "clip skip 2, denoising strength set to 0.45-0.6",
        "works with SD 1.5 and with 2.1 models",
        "use the LoRA Block Weight 1",
    ],
)
def test_other_numbers_are_no_weight(text: str) -> None:
    assert weight_in_text(text) is None


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("weight:0.6~1 school uniform", Weight(0.8, 0.6, 1.0)),
        ("Recommended weight is 0.3-0.8", Weight(0.55, 0.3, 0.8)),
        ("Weight can go from 0.6 up to 1. I recommend 0.8.", Weight(0.8, 0.6, 1.0)),
        ("Recommended weight value: 1 (or 0.5-1.4)", Weight(1.0, 0.5, 1.4)),
        ("Best Setting:[CFG:3~5, LoRA Strength:0.5~0.7]", Weight(0.6, 0.5, 0.7)),
        (
            "CFG Scale : 5 to 10 LORA weight for txt2img: reccomended 0.3-0.7.",
            Weight(0.5, 0.3, 0.7),
        ),
        ("Best results with 0,7 or 0,8 weight", Weight(0.75, 0.7, 0.8)),
        ("Recommended weight: 0.6 ~ or more", Weight(0.6, 0.6)),
        ("use at least 0.5 weight", Weight(0.5, 0.5)),
        ("weight 0.7, not recommended to exceed 0.85", Weight(0.7)),
        ("I would recommend a weight of no more than 0.8", Weight(0.8, None, 0.8)),
        ("I suggest 0.8-1.0 weight. It helps to lower weight to 0.6", Weight(0.9, 0.8, 1.0)),
        ("Having Cfg of 7-7.5 with weight of 0.7-0.8", Weight(0.75, 0.7, 0.8)),
        ("Weight 1.0 is recommended by default", Weight(1.0)),
    ],
)
def test_a_stated_range_is_kept(text: str, weight: Weight) -> None:
    assert weight_of(make_card(), text) == weight


def test_what_the_text_states_outranks_used_weights() -> None:
    examples = (
        Example("a", 0.5),
        Example("b", 0.9),
        Example("c <lora:x:0.6>"),
        Example("<lora:x:0.1> <lora:y:0.1>"),
        Example("d"),
    )
    card = make_card(examples=examples)
    assert weight_of(card, "weight 1") == Weight(1.0)
    assert weight_of(card, "weight 0.8-1") == Weight(0.9, 0.8, 1.0)
    assert weight_of(card, "nothing") == Weight(0.6)
    assert weight_of(card, "<lora:x:1>") == Weight(0.6)
    assert weight_of(card, "no weight above 0.55") == Weight(0.55, None, 0.55)
    assert weight_of(make_card(examples=(Example("d"), Example("f", 40.0))), "") is None


def test_the_numbers_of_sliders_are_not_weights() -> None:
    assert weight_of(make_card(), "weight 1.0", slider=True) is None
    card = make_card(examples=(Example("a", 0.7),))
    assert weight_of(card, "weight 1.0", slider=True) == Weight(0.7)


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
