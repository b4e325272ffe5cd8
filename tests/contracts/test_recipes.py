"""What every `Recipes` keeps to. A new one adds a builder to `BUILDERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.recipes import Recipe, RecipeAdapter, Recipes
from tests.fakes import MemoryRecipes

FOX = Recipe(
    "Fox at night",
    "a fox, night",
    "blurry",
    "sdxl",
    (RecipeAdapter(AdapterKey.civitai(1), 0.8, "Fox", "fox_v1"),),
)


@contextmanager
def _sqlite(folder: Path) -> Iterator[Recipes]:
    with closing(SqliteStore(folder)) as store:
        yield store.recipes


@contextmanager
def _memory(folder: Path) -> Iterator[Recipes]:
    yield MemoryRecipes()


BUILDERS: dict[str, Callable[[Path], AbstractContextManager[Recipes]]] = {
    "sqlite": _sqlite,
    "memory": _memory,
}


@pytest.fixture(params=BUILDERS)
def recipes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recipes]:
    with BUILDERS[request.param](tmp_path) as made:
        yield made


def test_they_come_back_as_they_were_by_name(recipes: Recipes) -> None:
    other = replace(
        FOX,
        name="A strange \u5c71 name",
        adapters=(RecipeAdapter(AdapterKey.path("x/\udcff.safetensors"), 1.0),),
    )
    recipes.keep(FOX)
    recipes.keep(other)
    assert recipes.all() == (other, FOX)


def test_one_of_the_same_name_takes_its_place(recipes: Recipes) -> None:
    recipes.keep(FOX)
    recipes.keep(replace(FOX, prompt="another"))
    assert [one.prompt for one in recipes.all()] == ["another"]


def test_one_is_forgotten_by_its_name(recipes: Recipes) -> None:
    recipes.keep(FOX)
    assert not recipes.forget("nobody")
    assert recipes.forget(FOX.name)
    assert not recipes.forget(FOX.name)
    assert recipes.all() == ()
