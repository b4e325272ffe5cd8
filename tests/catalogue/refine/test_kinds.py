"""The kind of a card."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.refine.kinds import CATEGORIES, WORDS, kind_of
from stylus_ext.core.card import Example
from stylus_ext.core.entry import KINDS
from stylus_ext.core.prompt.words import words
from tests.fakes import make_card


@pytest.mark.parametrize(
    ("name", "tags", "kind"),
    [
        ("Anything", ("anime", "character"), "character"),
        ("Anything", ("style", "woman"), "style"),
        ("Anything", ("celebrity", "woman"), "person"),
        ("Anything", ("character", "actress"), "person"),
        ("Anything", ("poses",), "pose"),
        ("Anything", ("buildings",), "building"),
        ("Dragon Slayer Sword Style", ("objects",), "object"),
        ("Red Dress", ("concept",), "clothing"),
        ("Slit Pupils", ("concept", "eyes"), "concept"),
        ("Fighter Jet", ("concept", "anime"), "vehicle"),
        ("SpaceshipAI", ("concept", "spaceship"), "vehicle"),
        ("Oil painting style", ("concept", "art style"), "style"),
        ("Old Watercolor Style", (), "style"),
        ("Some Girl (Some Series)", (), "character"),
        ("Some Girl | Some Series", ("anime",), "character"),
        ("T Pose", (), "pose"),
        ("Korean Warrior Hanbok", ("warrior",), "clothing"),
        ("Beautiful sky", (), "background"),
        ("Old castle", (), "building"),
        ("Chibi Animals", (), "animal"),
        ("Minimalist icons", ("design",), "object"),
        ("Smoking woman", ("smoking",), "action"),
        ("SomeDollLikeness", ("woman",), "person"),
        ("水墨风格", (), "style"),
        ("诡异服装", (), "clothing"),
        ("スタジオ背景", (), "background"),
        ("xmx", (), "unknown"),
        ("", (), "unknown"),
    ],
)
def test_name_and_tags_tell_the_kind(name: str, tags: tuple[str, ...], kind: str) -> None:
    assert kind_of(make_card(name=name, tags=tags), "") == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The main character of the game Example Quest.", "character"),
        ("Imitates the art style of old posters.", "style"),
        ("A traditional clothing and other outfits of the north.", "clothing"),
        ("Landscapes and backgrounds.", "background"),
        ("Nothing to say.", "unknown"),
        ("Korean actress.", "person"),
        ("Icons for a game.", "object"),
    ],
)
def test_the_text_tells_where_name_and_tags_do_not(text: str, kind: str) -> None:
    assert kind_of(make_card(name="xmx"), text) == kind


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        ({"triggers": ("purple hair, blue eyes, ponytail, choker",)}, "character"),
        ({"triggers": (r"yuki \(style\)",)}, "style"),
        (
            {
                "examples": (Example("scenery, no humans"), Example("no humans, hill")),
                "triggers": ("field",),
            },
            "background",
        ),
        ({"kind": "vehicle"}, "vehicle"),
        ({"kind": "LORA", "tags": ("style",)}, "style"),
        ({"kind": "Unknown", "tags": ("style",)}, "style"),
    ],
)
def test_triggers_examples_and_the_sources_own_kind(card: dict[str, Any], kind: str) -> None:
    assert kind_of(make_card(**{"name": "xmx", **card}), "") == kind


def test_the_word_lists_are_singular_so_that_they_can_be_met() -> None:
    for word in WORDS:
        assert words(word) == [word]
    assert set(WORDS.values()) | set(CATEGORIES.values()) | {"unknown"} <= set(KINDS)


TAGS = st.lists(
    st.sampled_from(
        [
            "style",
            "character",
            "concept",
            "anime",
            "girl",
            "actress",
            "dress",
            "car",
            "wolf",
            "",
            " Style ",
            "猫",
        ]
    ),
    max_size=6,
)


@given(st.text(max_size=80), TAGS, st.text(max_size=200))
def test_any_card_has_a_kind_whatever_the_order_of_its_tags(
    name: str, tags: list[str], text: str
) -> None:
    kind = kind_of(make_card(name=name, tags=tuple(tags)), text)
    assert kind in KINDS
    assert kind_of(make_card(name=name, tags=tuple(reversed(tags))), text) == kind


@pytest.mark.parametrize(
    "name", ["steampunk-v2", "steampunk - v2", "steampunk (1.5)", "gloomwave-000012", "glass/v3"]
)
def test_a_version_in_a_name_is_no_series(name: str) -> None:
    assert kind_of(make_card(1, name), "") == "unknown"


@pytest.mark.parametrize(
    "name",
    ["Yorva (Ashen Court)", "Yorva - Ashen Court", "Yorva | Ashen Court", "Yorva（Ashen Court）"],
)
def test_name_and_series_make_a_character(name: str) -> None:
    assert kind_of(make_card(1, name), "") == "character"
