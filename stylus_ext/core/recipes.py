"""Recipes: a saved selection with its prompt, under a name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput

LONGEST_NAME = 120
LONGEST_PROMPT = 20_000
MOST_ADAPTERS = 50
HEAVIEST = 5.0
FORMAT = 1


@dataclass(frozen=True, slots=True)
class RecipeAdapter:
    """An adapter of a recipe; `name` and `stem` help where the key is unknown."""

    key: AdapterKey
    weight: float
    name: str = ""
    stem: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    prompt: str
    negative: str = ""
    family: str = ""
    adapters: tuple[RecipeAdapter, ...] = ()

    def __post_init__(self) -> None:
        is_one_line = self.name.isprintable() and self.name == self.name.strip()
        if not (self.name and is_one_line and len(self.name) <= LONGEST_NAME):
            raise InvalidInput(
                f"A recipe has a name of at most {LONGEST_NAME} characters, in one line."
            )
        if max(len(self.prompt), len(self.negative)) > LONGEST_PROMPT:
            raise InvalidInput(f"A recipe's prompt has at most {LONGEST_PROMPT:,} characters.")
        if len(self.adapters) > MOST_ADAPTERS:
            raise InvalidInput(f"A recipe has at most {MOST_ADAPTERS} adapters.")
        if len({adapter.key for adapter in self.adapters}) < len(self.adapters):
            raise InvalidInput(f"The recipe {self.name!r} names an adapter twice.")
        weights = [adapter.weight for adapter in self.adapters]
        if not all(math.isfinite(weight) and abs(weight) <= HEAVIEST for weight in weights):
            raise InvalidInput(
                f"A weight in the recipe {self.name!r} is larger than {HEAVIEST:g}, or none at all."
            )


class Recipes(Protocol):
    """Stores recipes; they survive any change of the catalogue."""

    def keep(self, recipe: Recipe) -> None:
        """Store a recipe, replacing one of the same name."""

    def forget(self, name: str) -> bool:
        """Delete a recipe; returns whether it existed."""

    def all(self) -> tuple[Recipe, ...]:
        """All recipes by name."""


def renamed(recipe: Recipe, names: Mapping[AdapterKey, AdapterKey]) -> Recipe:
    """The recipe with the first keys of its adapters, where known."""
    adapters = (replace(one, key=names.get(one.key, one.key)) for one in recipe.adapters)
    return replace(recipe, adapters=tuple(adapters))


def recipe_json(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as JSON; `recipe_of(recipe_json(recipe)) == recipe`."""
    adapters = [{**asdict(adapter), "key": str(adapter.key)} for adapter in recipe.adapters]
    return {"version": FORMAT, **asdict(recipe), "adapters": adapters}


def recipe_of(raw: Any) -> Recipe:
    """Read an untrusted recipe; unknown fields are ignored."""
    if not isinstance(raw, Mapping):
        raise InvalidInput("A recipe is a JSON object.")
    if raw.get("version", FORMAT) != FORMAT:
        raise InvalidInput("This recipe was made by a newer Stylus.")
    adapters = raw.get("adapters", [])
    if not isinstance(adapters, Sequence) or isinstance(adapters, str):
        raise InvalidInput("The adapters of a recipe are a list.")
    return Recipe(
        _text(raw, "name").strip(),
        _text(raw, "prompt"),
        _text(raw, "negative"),
        _text(raw, "family")[:64],
        tuple(map(_adapter, adapters[: MOST_ADAPTERS + 1])),
    )


def _adapter(raw: Any) -> RecipeAdapter:
    if not isinstance(raw, Mapping):
        raise InvalidInput("An adapter of a recipe is a JSON object.")
    weight = raw.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or abs(weight) > HEAVIEST:
        raise InvalidInput(f"The weight of an adapter of a recipe is a number up to {HEAVIEST:g}.")
    return RecipeAdapter(
        AdapterKey.parse(_text(raw, "key")),
        float(weight),
        _text(raw, "name")[:1000],
        _text(raw, "stem")[:1000],
    )


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name, "")
    if not isinstance(value, str):
        raise InvalidInput(f"The {name} of a recipe is a text.")
    return value
