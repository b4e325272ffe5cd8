from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import vetoed
from stylus_ext.selection.retrieve.filters import forbidden
from tests.fakes import make_entry
from tests.selection.retrieve.house import House

WATERCOLOR: dict[str, Any] = {
    "name": "Soft Watercolor Washes",
    "triggers": ("softwash",),
    "tags": ("style", "painting"),
    "kind": "style",
}
MIRA: dict[str, Any] = {
    "name": "Mira Vanthal | Skyreach Saga",
    "triggers": ("mira vanthal, red hair, goggles",),
    "tags": ("anime", "skyreach saga"),
    "kind": "character",
}
TRAIN: dict[str, Any] = {
    "name": "Copper Steam Train",
    "tags": ("train", "steampunk"),
    "kind": "vehicle",
    "text": "A train in a valley with sheep.",
}
PIXEL: dict[str, Any] = {"name": "Harbour 16bit", "triggers": ("pixel art",), "kind": "style"}


@pytest.mark.parametrize(
    ("facts", "negative", "called", "phrase"),
    [
        # a word of its name, alone or with the word for such things
        (WATERCOLOR, "blurry, watercolor", False, "watercolor"),
        (WATERCOLOR, "watercolor style, lowres", False, "watercolor style"),
        (WATERCOLOR, "(watercolor painting:1.2)", False, "watercolor painting"),
        (WATERCOLOR, "watercolor paper", False, ""),
        (WATERCOLOR, "oil painting", False, ""),
        (WATERCOLOR, "(watercolor:0.3)", False, ""),
        (TRAIN, "train", False, "train"),
        (TRAIN, "steam engine", False, ""),
        # a tag
        (TRAIN, "steampunk, cars", False, "steampunk"),
        (TRAIN, "steampunk, cars", True, ""),
        # what only its text mentions
        (TRAIN, "sheep, valley", False, ""),
        # name and first trigger, whatever the prompt says
        (TRAIN, "copper steam train", True, "copper steam train"),
        (TRAIN, "old copper steam train", True, "old copper steam train"),
        (PIXEL, "pixel art", True, "pixel art"),
        (PIXEL, "pixel art style", True, "pixel art style"),
        (PIXEL, "line art", False, ""),
        (MIRA, "mira vanthal", True, "mira vanthal"),
        # the look of a character that the prompt wants
        (MIRA, "anime, cartoon", True, ""),
        (MIRA, "anime, cartoon", False, "anime"),
        (MIRA, "goggles, red hair", True, ""),
        (MIRA, "saga", False, ""),
        # what every negative prompt says
        (TRAIN, "worst quality, bad anatomy, text, watermark", False, ""),
        (TRAIN, "", False, ""),
    ],
)
def test_what_is_forbidden(facts: dict[str, Any], negative: str, called: bool, phrase: str) -> None:
    made = dict(facts)
    entry = make_entry(1, made.pop("name"), made.pop("text", ""), **made)
    assert forbidden(vetoed(parse_prompt(negative)), entry, called) == phrase


@pytest.mark.parametrize("name", ["", "!!!", "the", "v2", "LoRA"])
def test_a_name_that_says_nothing_is_not_forbidden(name: str) -> None:
    assert (
        forbidden(
            vetoed(parse_prompt("a red hat, boats, style")), make_entry(1, name), is_named=False
        )
        == ""
    )


@given(st.text(max_size=40), st.text(max_size=20), st.booleans())
def test_only_a_phrase_of_the_negative_prompt_forbids(
    negative: str, name: str, called: bool
) -> None:
    veto = vetoed(parse_prompt(negative))
    assert forbidden(veto, make_entry(1, name, kind="object"), called) in {
        "",
        *(" ".join(phrase) for phrase in veto),
    }


class TestInTheRetriever:
    def test_one_word_of_the_negative_prompt_is_enough(self, house: House) -> None:
        house.add([make_entry(60, "Soft Watercolor Washes", triggers=("softwash",))])
        found = house.find("a fox in the snow, soft watercolor", negative="blurry, watercolor")
        assert "Soft Watercolor Washes" not in [
            candidate.entry.card.name for candidate in found.found
        ]
        reason = next(
            miss.reason for miss in found.refused if miss.name == "Soft Watercolor Washes"
        )
        assert '"watercolor"' in reason

    def test_a_character_that_is_named_stays_whatever_its_tags(self, house: House) -> None:
        house.add(
            [
                make_entry(
                    60,
                    "Quorl Zandar",
                    kind="character",
                    triggers=("quorl zandar",),
                    tags=("anime", "character"),
                )
            ]
        )
        assert (
            house.names("quorl zandar, street, photo, night", negative="anime, 3d")[0]
            == "Quorl Zandar"
        )
        assert "Quorl Zandar" not in house.names(
            "somebody in a street at night", negative="anime, 3d"
        )
