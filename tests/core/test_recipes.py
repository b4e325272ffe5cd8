from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.recipes import MOST_ADAPTERS, Recipe, RecipeAdapter, recipe_json, recipe_of

NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40)
KEYS = st.one_of(
    st.integers(1, 10**9).map(AdapterKey.civitai),
    st.text("abc/ .", min_size=1).map(AdapterKey.path),
)
INGREDIENTS = st.builds(
    RecipeAdapter, KEYS, st.floats(-5, 5), st.text(max_size=20), st.text(max_size=20)
)
RECIPES = st.builds(
    Recipe,
    NAMES,
    st.text(max_size=200),
    st.text(max_size=50),
    st.sampled_from(["", "sd1", "sdxl"]),
    st.lists(INGREDIENTS, max_size=6, unique_by=lambda one: one.key).map(tuple),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["name", "prompt", "negative", "adapters", "key", "weight", "version", "stem"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(RECIPES)
def test_what_is_exported_is_imported_as_it_was(recipe: Recipe) -> None:
    assert recipe_of(json.loads(json.dumps(recipe_json(recipe)))) == recipe


@given(JSON)
def test_anything_is_a_recipe_or_refused(said: Any) -> None:
    try:
        recipe = recipe_of(said)
    except InvalidInput:
        return
    assert recipe_of(recipe_json(recipe)) == recipe


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "object"),
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "one line"),
        ({"name": "x" * 121}, "120"),
        ({"name": "a", "prompt": "x" * 20_001}, "20,000"),
        ({"name": "a", "version": 2}, "newer"),
        ({"name": "a", "adapters": "x"}, "list"),
        ({"name": "a", "adapters": [{"key": "nonsense"}]}, "key"),
        ({"name": "a", "adapters": [{"key": "civitai:1", "weight": "1"}]}, "weight"),
        ({"name": "a", "adapters": [{"key": "civitai:1", "weight": 1e9}]}, "weight"),
        ({"name": "a", "adapters": [{"key": "civitai:1"}, {"key": "civitai:1"}]}, "twice"),
        (
            {
                "name": "a",
                "adapters": [
                    {"key": f"civitai:{number}"} for number in range(1, MOST_ADAPTERS + 2)
                ],
            },
            "at most 50",
        ),
    ],
)
def test_what_is_wrong_is_said(said: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        recipe_of(said)
