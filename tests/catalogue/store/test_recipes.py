"""Recipes in SQLite and user.jsonl: a kill, a lost database, a replaced journal, lines that nobody
can read.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.recipes import Recipe
from tests.catalogue.store.killing import Finished, campaign


def check(folder: Path, finished: Finished) -> None:
    with closing(SqliteStore(folder)) as store:
        there = {recipe.name for recipe in store.recipes.all()}
    forgot = {number for what, number in finished if what == "forgot"}
    kept = {number for what, number in finished if what == "kept"}
    unsure = {
        number for number in kept - forgot if number % 3 == 0
    }  # it may have been forgotten and not yet said so
    assert {f"recipe {number}" for number in kept - forgot - unsure} <= there
    assert not {f"recipe {number}" for number in forgot} & there


def test_a_kill_loses_no_recipe_nor_does_the_loss_of_the_database(tmp_path: Path) -> None:
    finished = campaign("cook", tmp_path, check, rounds=3, seed=5)
    for path in tmp_path.glob("catalogue.sqlite*"):
        path.unlink()
    check(tmp_path, finished)


def test_another_user_jsonl_adds_its_recipes_to_those_known(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with closing(SqliteStore(tmp_path / name)) as store:
            store.recipes.keep(Recipe(f"of {name}", "a fox"))
    (tmp_path / "one" / "user.jsonl").write_bytes((tmp_path / "two" / "user.jsonl").read_bytes())
    for _ in range(2):
        with closing(SqliteStore(tmp_path / "one")) as store:
            assert [recipe.name for recipe in store.recipes.all()] == [
                "of one",
                "of two",
            ]


def test_lines_that_say_nothing_are_passed_over(tmp_path: Path) -> None:
    lines = [
        {"v": 1, "what": "recipe"},
        {"v": 1, "what": "recipe", "recipe": {"name": ""}},
        {"v": 1, "what": "recipe", "recipe": {"name": "good", "prompt": "p"}},
    ]
    (tmp_path / "user.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), "utf-8"
    )
    with closing(SqliteStore(tmp_path)) as store:
        assert [recipe.name for recipe in store.recipes.all()] == ["good"]
        assert any("user.jsonl" in note.text for note in store.notes)
