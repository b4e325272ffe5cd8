"""Tables beside the entries: feedback, recipes, small texts.

Feedback and recipes are written to user.jsonl first, so that they survive the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from stylus_ext.catalogue.store.codec import dump, from_column, load, to_column
from stylus_ext.catalogue.store.database import Database, read_meta, write_meta
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.feedback import Verdict
from stylus_ext.core.recipes import Recipe, recipe_json, recipe_of

FEEDBACK = "verdict"
_MARK = "verdicts"
_LONGEST = 4000
_MOST = 5000


class FeedbackTable:
    """Implements `Feedback`; `record` appends to user.jsonl and applies the record."""

    def __init__(
        self, database: Database, record: Callable[[str, Mapping[str, Any]], None]
    ) -> None:
        self._database, self._record = database, record
        self._known: tuple[str, tuple[Verdict, ...]] | None = None

    @property
    def mark(self) -> str:
        with self._database.reading() as connection:
            return read_meta(connection, _MARK)

    def tell(self, key: AdapterKey, prompt: str, *, wrong: bool) -> None:
        self._record(FEEDBACK, {"key": str(key), "prompt": prompt[:_LONGEST], "wrong": wrong})

    def all(self) -> tuple[Verdict, ...]:
        with self._database.snapshot() as connection:
            mark = read_meta(connection, _MARK)
            known = self._known
            if known is None or known[0] != mark:
                rows = connection.execute(
                    "SELECT key, prompt, times FROM verdicts ORDER BY rowid DESC LIMIT ?", (_MOST,)
                ).fetchall()
                found = (
                    Verdict(AdapterKey.parse(from_column(key)), from_column(prompt), times)
                    for key, prompt, times in rows
                )
                known = self._known = (mark, tuple(found))
            return known[1]


def apply_feedback(connection: sqlite3.Connection, record: Mapping[str, Any]) -> None:
    """Apply one record of user.jsonl."""
    key, prompt, wrong = record.get("key"), record.get("prompt"), record.get("wrong")
    if not isinstance(key, str) or not isinstance(prompt, str) or not isinstance(wrong, bool):
        raise InvalidInput("A verdict names an adapter, a prompt, and whether it was wrong there.")
    times = record.get("times", 1)
    where = to_column(str(AdapterKey.parse(key))), to_column(prompt)
    if wrong:
        connection.execute(
            "INSERT INTO verdicts (key, prompt, times) VALUES (?, ?, ?) ON CONFLICT (key, prompt)"
            " DO UPDATE SET times = times + excluded.times",
            (*where, times if isinstance(times, int) and times > 0 else 1),
        )
    else:
        connection.execute("DELETE FROM verdicts WHERE key = ? AND prompt = ?", where)
    write_meta(connection, _MARK, str(int(read_meta(connection, _MARK) or 0) + 1))


def feedback_records(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Move all rows into records for a user.jsonl that lacks them; it refills the table."""
    rows = connection.execute("SELECT key, prompt, times FROM verdicts ORDER BY rowid").fetchall()
    connection.execute("DELETE FROM verdicts")
    return [
        {"key": from_column(key), "prompt": from_column(prompt), "wrong": True, "times": times}
        for key, prompt, times in rows
    ]


_PREFIX = "memory."


class MemoryTable:
    """Implements `Memory`; deleted with the catalogue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remembered(self, name: str) -> str:
        """The stored text, or an empty one."""
        with self._database.reading() as connection:
            return from_column(read_meta(connection, _PREFIX + name))

    def remember(self, name: str, text: str) -> None:
        with self._database.writing() as connection:
            if text:
                write_meta(connection, _PREFIX + name, to_column(text))
            else:
                connection.execute("DELETE FROM meta WHERE name = ?", (_PREFIX + name,))


RECIPE = "recipe"
Record = Callable[[str, Mapping[str, Any]], None]


class RecipeTable:
    """Implements `Recipes`; `record` appends to user.jsonl and applies the record."""

    def __init__(self, database: Database, record: Record) -> None:
        self._database, self._record = database, record

    def keep(self, recipe: Recipe) -> None:
        self._record(RECIPE, {"recipe": recipe_json(recipe)})

    def forget(self, name: str) -> bool:
        if all(recipe.name != name for recipe in self.all()):
            return False
        self._record(RECIPE, {"forgotten": name})
        return True

    def all(self) -> tuple[Recipe, ...]:
        with self._database.reading() as connection:
            rows = connection.execute("SELECT recipe FROM recipes ORDER BY name").fetchall()
        return tuple(recipe_of(load(text)) for (text,) in rows)


def apply_recipe(connection: sqlite3.Connection, record: Mapping[str, Any]) -> None:
    """Apply one record of user.jsonl."""
    forgotten = record.get("forgotten")
    if isinstance(forgotten, str):
        connection.execute("DELETE FROM recipes WHERE name = ?", (to_column(forgotten),))
        return
    if "recipe" not in record:
        raise InvalidInput("A record of a recipe has one, or the name of one that is forgotten.")
    recipe = recipe_of(record["recipe"])
    connection.execute(
        "INSERT OR REPLACE INTO recipes (name, recipe) VALUES (?, ?)",
        (to_column(recipe.name), dump(recipe_json(recipe))),
    )


def recipe_records(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Move all rows into records for a user.jsonl that lacks them; it refills the table."""
    rows = connection.execute("SELECT recipe FROM recipes ORDER BY name").fetchall()
    connection.execute("DELETE FROM recipes")
    return [{"recipe": load(from_column(text))} for (text,) in rows]
