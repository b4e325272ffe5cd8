from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.ports import Matrix
from stylus_ext.core.recipes import Recipe
from stylus_ext.selection.recipes import FindRecipes
from tests.fakes import BagEmbedder

RECIPES = (
    Recipe("fox", "a red fox in the snow"),
    Recipe("city", "neon city at night, rain"),
    Recipe("tea", "a cup of tea"),
)


@dataclass
class Counting:
    """Counts what it encodes; while it is away, nothing."""

    inner: BagEmbedder = field(default_factory=BagEmbedder)
    encoded: list[str] = field(default_factory=list)
    unavailable_reason: bool = False

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dimensions(self) -> int:
        return self.inner.dimensions

    def embed(self, texts: list[str]) -> Matrix:
        if self.unavailable_reason:
            return np.zeros((len(texts), self.dimensions), dtype=np.float32)
        self.encoded += texts
        return self.inner.embed(texts)


def test_the_one_most_alike_comes_first_and_is_encoded_once() -> None:
    encoder = Counting()
    find = FindRecipes(encoder)  # type: ignore[arg-type]
    for prompt, name in (
        ("rain in a neon city", "city"),
        ("snow and a fox", "fox"),
        ("a cup of tea", "tea"),
    ):
        found = find(RECIPES, prompt)
        assert found[0][0].name == name
        assert {recipe.name for recipe, _ in found} == {"fox", "city", "tea"}
    assert find(RECIPES, "a cup of tea")[0][1] > 0.99
    assert len(encoder.encoded) == len(set(encoder.encoded)) == 5


def test_without_an_encoder_words_do() -> None:
    encoder = Counting(unavailable_reason=True)
    find = FindRecipes(encoder)  # type: ignore[arg-type]
    assert find(RECIPES, "neon rain")[0][0].name == "city"
    encoder.unavailable_reason = False
    assert find(RECIPES, "a cup of tea")[0][1] > 0.99


@given(st.text(max_size=60))
def test_any_prompt_orders_all_of_them(prompt: str) -> None:
    found = FindRecipes(BagEmbedder())(RECIPES, prompt)
    assert sorted(recipe.name for recipe, _ in found) == ["city", "fox", "tea"]
    assert all(0 <= share <= 1 for _, share in found)
    assert FindRecipes(BagEmbedder())([], prompt) == []
