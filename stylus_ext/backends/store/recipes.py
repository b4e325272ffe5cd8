"""Implements `Recipes` in the catalogue's file; user.jsonl has each before, so that they survive
any database.

In: recipes, or names to forget. Out: all recipes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from stylus_ext.backends.store.codec import dump, from_column, load, to_column
from stylus_ext.backends.store.database import Database
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.recipes import Recipe, recipe_json, recipe_of

WHAT = "recipe"
Record = Callable[[str, Mapping[str, Any]], None]


class KeptRecipes:
    """`record` puts what was said into user.jsonl and from there into the catalogue."""

    def __init__(self, database: Database, record: Record) -> None:
        self._database, self._record = database, record

    def keep(self, recipe: Recipe) -> None:
        self._record(WHAT, {"recipe": recipe_json(recipe)})

    def forget(self, name: str) -> bool:
        if all(one.name != name for one in self.all()):
            return False
        self._record(WHAT, {"forgotten": name})
        return True

    def all(self) -> tuple[Recipe, ...]:
        with self._database.reading() as connection:
            rows = connection.execute("SELECT recipe FROM recipes ORDER BY name").fetchall()
        return tuple(recipe_of(load(text)) for (text,) in rows)


def apply(connection: sqlite3.Connection, said: Mapping[str, Any]) -> None:
    """One record of user.jsonl."""
    forgotten = said.get("forgotten")
    if isinstance(forgotten, str):
        connection.execute("DELETE FROM recipes WHERE name = ?", (to_column(forgotten),))
        return
    if "recipe" not in said:
        raise InvalidInput("A record of a recipe has one, or the name of one that is forgotten.")
    recipe = recipe_of(said["recipe"])
    connection.execute(
        "INSERT OR REPLACE INTO recipes (name, recipe) VALUES (?, ?)",
        (to_column(recipe.name), dump(recipe_json(recipe))),
    )


def take_all(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """As records, for a user.jsonl that lacks them; the table is empty afterwards, and filled from
    there again.
    """
    rows = connection.execute("SELECT recipe FROM recipes ORDER BY name").fetchall()
    connection.execute("DELETE FROM recipes")
    return [{"recipe": load(from_column(text))} for (text,) in rows]
