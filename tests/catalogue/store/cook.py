"""A process that keeps and forgets recipes without end and says what it has finished; made to be
killed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.recipes import Recipe, RecipeAdapter
from tests.catalogue.store.worker import say


def cook(folder: Path, start: int) -> None:
    recipes = SqliteStore(folder).recipes
    number = start
    while True:
        recipes.keep(
            Recipe(
                f"recipe {number}",
                f"prompt {number}",
                adapters=(RecipeAdapter(AdapterKey.civitai(number + 1), 0.5),),
            )
        )
        say(f"kept {number}")
        if number % 3 == 0:
            recipes.forget(f"recipe {number}")
            say(f"forgot {number}")
        number += 1


if __name__ == "__main__":
    cook(Path(sys.argv[1]), int(sys.argv[2]))
