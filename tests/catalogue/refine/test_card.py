"""The rule refiner on whole cards."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.refine.rules import (
    CardRefiner,
    compose_text,
    fingerprint,
    says_what_it_draws,
)
from stylus_ext.catalogue.refine.text import MAX_TEXT
from stylus_ext.core.card import Example
from stylus_ext.core.entry import KINDS
from tests.fakes import make_card

PAGE = """<h1>Rainy Alley</h1><p>\U0001f525 Support me on <a href="https://example.com">Patreon</a>!</p>
<p>Narrow Japanese alleys in the rain, with red lanterns and wet stones.</p><p>Recommended weight: 0.6-0.8</p>
<h2>Training</h2><p>40 alley pictures, 10 epochs.</p>"""  # noqa: E501
REFINE = CardRefiner().refine


def test_a_model_page() -> None:
    card = make_card(
        name="Rainy Alley", text=PAGE, tags=("background", "rain"), triggers=("rainalley",)
    )
    told = REFINE(card)
    assert told.text == "Narrow Japanese alleys in the rain, with red lanterns and wet stones."
    assert (told.kind, told.weight, told.source) == ("background", 0.7, "card")
    assert (told.slider, told.speed, told.utility) == (False, False, False)


@pytest.mark.parametrize(
    ("card", "text"),
    [
        (
            {
                "name": "Hu Some (Some Game) LoRA v2.1",
                "tags": ("anime", "character", "some game", "red eyes"),
            },
            "Draws the character Hu Some (Some Game), with red eyes.",
        ),
        (
            {
                "name": "[maker] Old Ink Style",
                "tags": ("style",),
                "triggers": ("inkwash, masterpiece, 1girl",),
            },
            "Draws in the style of Old Ink, with inkwash.",
        ),
        ({"name": "rain_alley_v1", "tags": ("background",)}, "Draws the background rain alley."),
        (
            {
                "name": "Red Dress | Clothing",
                "tags": ("clothing",),
                "text": "<p>Buy me a coffee!</p>",
            },
            "Draws clothing: Red Dress, Clothing.",
        ),
        ({"name": "xmx"}, "Draws xmx."),
        ({"name": "", "triggers": ("zkw (x:1.2) <lora:y:1>",)}, "Draws zkw x."),
        ({"name": ""}, ""),
        ({"name": "LoRA"}, "Draws LoRA."),
    ],
)
def test_a_card_without_text_gets_a_sentence_of_its_own_words(
    card: dict[str, Any], text: str
) -> None:
    assert REFINE(make_card(**card)).text == text


def test_a_text_that_only_says_the_name_is_put_together_too() -> None:
    card = make_card(
        name="Some Hero",
        tags=("character", "green cape"),
        text="This is a LoRA of Some Hero. Weight 0.8.",
    )
    assert REFINE(card).text == "Draws the character Some Hero, with green cape."


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("Copper Lighthouse", "White tower with a copper roof. Sadly it is unstable.", "roof"),
        ("Copper Lighthouse", "Translated by a program. Lighthouse results vary.", ""),
        ("Copper Lighthouse", "Trained on 40 lighthouses, thanks for 900 downloads!", ""),
        ("Copper Lighthouse", "Support the lighthouse on my page. New lighthouse next week.", ""),
        ("Copper Lighthouse", "Just use lighthouse at 0.7. Include copper for more.", ""),
        ("Copper Lighthouse", "Lighthouse.", ""),
        ("Mirvael (Tidewatch)", "Mirvael, keeper of the tide, in a grey coat. Best girl!", "coat"),
        ("Mirvael (Tidewatch)", "The last character of the series, so there it is, and.", ""),
        ("Mirvael (Tidewatch)", "Her coat doesn't look good in most pictures.", ""),
        ("Inkwren Style", "Thin ink lines on yellow paper. Hope it helps.", "ink lines"),
        ("Inkwren Style", "masterpiece, best quality, inkwren, paper", ""),
        ("Inkwren Style", "Remember, this is a style.", ""),
    ],
)
def test_a_description_says_what_is_drawn_or_is_put_together(
    name: str, text: str, kept: str
) -> None:
    card = make_card(name=name, tags=("harbour", "storm"), text=text)
    described = REFINE(card).text
    assert says_what_it_draws(described)
    if kept:
        assert kept in described
        assert len(described) < len(text)
    else:
        assert described == compose_text(card, REFINE(card).kind)


@pytest.mark.parametrize("text", ["", "Clothes.", "style", "A LoRA of the model.", "12 34"])
def test_texts_that_say_nothing(text: str) -> None:
    assert not says_what_it_draws(text)
    assert not says_what_it_draws("An old tower", {"old", "tower"})


def test_templates_numbers_and_sentences_are_no_details() -> None:
    triggers = (r"character \(series\)", "0.8", "write here what you want to see in the picture")
    card = make_card(name="Alpha", tags=("gamma",), triggers=triggers)
    assert compose_text(card, "unknown") == "Draws Alpha, with gamma."


def test_nothing_is_invented() -> None:
    card = make_card(name="Alpha Beta", tags=("gamma", "delta"), triggers=("epsilon",))
    words = set(compose_text(card, "unknown").lower().replace(",", "").rstrip(".").split())
    assert words == {"draws", "alpha", "beta", "with", "gamma", "delta", "epsilon"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"text": "other"},
        {"tags": ("a",)},
        {"triggers": ("a",)},
        {"examples": (Example("a"),)},
        {"examples": (Example("a", 0.5),)},
        {"kind": "style"},
    ],
)
def test_the_fingerprint_changes_with_all_that_is_read(change: dict[str, Any]) -> None:
    card = make_card()
    assert fingerprint(replace(card, **change)) != fingerprint(card)


def test_the_fingerprint_does_not_change_with_what_is_not_read() -> None:
    card = make_card()
    assert fingerprint(
        replace(card, downloads=7, rating=5.0, creator="x", preview="y", weight=0.3, nsfw=True)
    ) == fingerprint(card)
    assert fingerprint(replace(card, tags=("a", "b"))) != fingerprint(replace(card, tags=("a,b",)))


HUGE = "weight 0.5 red alley <b>x</b> " * 40_000


@pytest.mark.parametrize(
    "text",
    [
        HUGE,
        "<div>" * 200_000,
        "a" * 1_000_000,
        "0.5-" * 250_000,
        "weight" * 150_000,
        "weight " * 150_000,
        ". " * 500_000,
        "。" * 500_000,
        "steps " * 160_000,
        "style of " * 100_000,
        "(" * 1_000_000,
        "lora trained on " * 60_000,
        "<lora:" * 150_000,
        "-" * 1_000_000,
        "at 0." * 200_000,
    ],
)
def test_a_megabyte_of_text_is_refined(text: str) -> None:
    start = time.process_time()
    told = REFINE(make_card(name="Rainy Alley", text=text, tags=("a",)))
    assert time.process_time() - start < 1.5
    assert len(told.text) <= MAX_TEXT


@pytest.mark.parametrize("field", ["name", "kind", "base_model"])
def test_huge_names_are_safe(field: str) -> None:
    start = time.process_time()
    huge: dict[str, Any] = {field: "style (" * 100_000}
    told = REFINE(make_card(**huge))
    assert time.process_time() - start < 1.5
    assert len(told.text) <= MAX_TEXT


def test_huge_lists_are_safe() -> None:
    many = tuple(f"tag number {number}, (x:1.1)" * 20 for number in range(3_000))
    start = time.process_time()
    told = REFINE(
        make_card(
            tags=many,
            triggers=many,
            examples=tuple(Example("<lora:" * 100 + text) for text in many),
        )
    )
    assert time.process_time() - start < 3
    assert len(told.text) <= MAX_TEXT


TEXT = st.text(max_size=300) | st.lists(
    st.sampled_from(
        ["<p>", "red", " ", "weight", "0.7", ".", "</p>", "Use", "style", "\n", "猫", "\ud800"]
    ),
    max_size=30,
).map("".join)


@given(
    st.text(max_size=60),
    TEXT,
    st.lists(st.text(max_size=20), max_size=4),
    st.lists(st.text(max_size=20), max_size=4),
    st.floats() | st.none(),
)
def test_any_card_is_refined_deterministically(
    name: str, text: str, tags: list[str], triggers: list[str], weight: float | None
) -> None:
    card = make_card(
        name=name,
        text=text,
        tags=tuple(tags),
        triggers=tuple(triggers),
        examples=(Example(text, weight),),
    )
    told = REFINE(card)
    assert REFINE(card) == told
    assert told.kind in KINDS
    assert len(told.text) <= MAX_TEXT
    assert told.weight is None or 0.05 <= told.weight <= 1.5
    assert told.text == told.text.strip()
    told.text.encode()
