"""A prompt for a photo gets no drawing."""

from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.prompt.words import words
from stylus_ext.selection.compose.looks import is_named_look, other_look, unrequested_style
from tests.fakes import make_entry


def is_refused(prompt: str, name: str, kind: str = "style", named: tuple[str, ...] = ()) -> bool:
    evidence = Evidence(0.5, 0.3, named, "", 6.0 if named else 0.0)
    candidate = Candidate(make_entry(1, name, kind=kind), 1.0, evidence)
    return other_look(candidate, frozenset(words(prompt))) != ""


@pytest.mark.parametrize("name", ["Cartoon Cats", "Soft Watercolor", "Anime Sky"])
def test_a_photo_gets_no_drawn_look(name: str) -> None:
    assert is_refused("a photo of a cat", name)
    assert not is_refused("a cat on a sofa", name)
    assert not is_refused("a photo of a watercolor painting of a cat", name)


def test_what_is_named_characters_and_photos_are_not_refused() -> None:
    prompt = "a photo of a cat"
    assert not is_refused(prompt, "Cartoonia Xolqui", named=("xolqui", "cartoonia"))
    assert not is_refused(prompt, "Mira (Anime Club)", "character")
    assert not is_refused(prompt, "Film Photography")


@pytest.mark.parametrize(
    ("prompt", "facts"),
    [
        ("a fox, pixel art", {"name": "Harbour 16bit", "triggers": ("pixel art",)}),
        ("an oil painting of a ship", {"name": "Oil Painting"}),
        ("a low poly mountain", {"name": "Low Poly Nature", "tags": ("low poly",)}),
    ],
)
def test_a_style_for_the_very_look_that_is_named(prompt: str, facts: dict[str, Any]) -> None:
    candidate = Candidate(make_entry(1, kind="style", **facts), 1.0)
    assert is_named_look(candidate, frozenset(words(prompt)))
    assert not is_named_look(candidate, frozenset(words("a mountain fox by a ship, painted")))
    other = Candidate(make_entry(1, kind="object", **facts), 1.0)
    assert not is_named_look(other, frozenset(words(prompt)))


def test_a_tag_alone_names_no_look() -> None:
    entry = make_entry(1, "Harbour 16bit", kind="style", tags=("watercolor",))
    assert not is_named_look(Candidate(entry, 1.0), frozenset(words("a watercolor of a fox")))


def style_reason(
    prompt: str, name: str, named: tuple[str, ...] = (), sure: float = 0.7, *, caption: bool = True
) -> str:
    candidate = Candidate(make_entry(1, name, kind="style"), 1.0, Evidence(sure=sure, named=named))
    return unrequested_style(candidate, frozenset(words(prompt)), is_caption=caption)


def test_an_ordinary_word_of_a_caption_asks_for_no_style() -> None:
    assert style_reason("a woman with a matrix", "Matrix", ("matrix",))
    assert not style_reason("matrix, 1girl, solo", "Matrix", ("matrix",), caption=False)
    assert not style_reason("a watercolor of a ship", "Watercolor", ("watercolor",))
    assert not style_reason("a xolqui of a ship", "Xolqui", ("xolqui",))
    assert style_reason("a woman with a flag", "Flag Parade", sure=0.95)
    assert not style_reason("a sticker of a cat", "Sticker Bombs", sure=0.95)


def test_a_style_that_shares_no_word_must_be_surer() -> None:
    assert style_reason("a woman with a machine", "Mech Style")
    assert not style_reason("a woman with a machine", "Mech Style", sure=0.9)
