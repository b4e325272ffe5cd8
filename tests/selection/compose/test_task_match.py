from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.composition import Candidate
from stylus_ext.core.prompt.words import content_words, words
from stylus_ext.selection.compose.checks import (
    ATTRIBUTES,
    COMMON,
    KINDS_OF_THINGS,
    identity,
    misfit,
)
from tests.fakes import make_entry

TEAPOT: dict[str, Any] = {
    "name": "Glass Teapot",
    "kind": "object",
    "tags": ("teapot", "glass"),
    "triggers": ("glassteapot",),
}
SWEATER: dict[str, Any] = {
    "name": "Knitted Christmas Sweater",
    "kind": "clothing",
    "tags": ("sweater",),
}
WOOL: dict[str, Any] = {
    "name": "Knitted Everything",
    "kind": "concept",
    "tags": ("knitted", "wool"),
}
SKYSHIP: dict[str, Any] = {
    "name": "Zeppelin Skyship",
    "kind": "vehicle",
    "tags": ("airship", "zeppelin"),
}
CORGI: dict[str, Any] = {"name": "Fluffy Corgi", "kind": "animal"}
SERIES: dict[str, Any] = {"name": "Eastern 205 series / train interior", "kind": "background"}
PLATES: dict[str, Any] = {
    "name": "Old Storybook Plates",
    "kind": "style",
    "tags": ("style", "storybook"),
}
WINDOW: dict[str, Any] = {
    "name": "Stained Glass Window",
    "kind": "style",
    "tags": ("style", "stained glass"),
}
LCM: dict[str, Any] = {
    "name": "LCM Quick Steps",
    "kind": "concept",
    "tags": ("lcm",),
    "speed": True,
}
GRAFFITI: dict[str, Any] = {"name": "Wall Graffiti Paint", "kind": "style", "tags": ("graffiti",)}


@pytest.mark.parametrize(
    ("facts", "task", "prompt", "said"),
    [
        (TEAPOT, "glass", "a glass of wine", "glass"),
        (TEAPOT, "glass teapot", "a glass teapot", ""),
        (TEAPOT, "teapot", "a teapot", ""),
        (TEAPOT, "wine", "wine", ""),
        (
            SWEATER,
            "teddy bear knitted",
            "a teddy bear knitted from wool",
            "knitted",
        ),
        (SWEATER, "sweater", "a man in a sweater", ""),
        (WOOL, "wool", "a bear of wool", ""),
        (SKYSHIP, "zeppelin floating", "a zeppelin floating", ""),
        (CORGI, "corgi", "a corgi", ""),
        (
            SERIES,
            "train",
            "a train under a bridge",
            "eastern series interior",
        ),
        (SERIES, "train interior", "seats in a train interior", ""),
        (PLATES, "plate", "a plate of spaghetti", "style"),
        (PLATES, "storybook", "a storybook", ""),
        (GRAFFITI, "graffiti", "a graffiti of a corgi", ""),
        (WINDOW, "glass", "a glass of wine", "style"),
        (WINDOW, "stained glass", "a castle in stained glass", ""),
        (LCM, "lcm", "lcm, a castle", ""),
    ],
)
def test_neither_broader_nor_narrower(
    facts: dict[str, Any], task: str, prompt: str, said: str
) -> None:
    made = dict(facts)
    found = misfit(
        Candidate(make_entry(1, made.pop("name"), **made), 1.0), task, frozenset(words(prompt))
    )
    assert said in found
    assert bool(found) is bool(said)


@given(
    st.sampled_from(sorted(KINDS_OF_THINGS)),
    st.lists(
        st.sampled_from(["teapot", "glass", "corgi", "old", "train"]), min_size=1, unique=True
    ),
)
def test_a_task_that_says_the_whole_name_fits(kind: str, name: list[str]) -> None:
    candidate = Candidate(make_entry(1, " ".join(name), kind=kind), 1.0)
    if set(name) - ATTRIBUTES:
        assert misfit(candidate, f"a {' '.join(name)}", frozenset(name)) == ""
    assert identity(candidate.entry) >= set(name)


def test_the_lists_are_in_the_form_of_content_words() -> None:
    for listed in (COMMON, ATTRIBUTES):
        assert {word for word in listed if content_words(word) != [word]} == set()
