"""What stands beside the entries in the catalogue's file, each in a room of its own. In: the
database. Out: those rooms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stylus_ext.backends.store.database import Database
from stylus_ext.backends.store.recipes import KeptRecipes, Record
from stylus_ext.backends.store.tallies import CountedTallies
from stylus_ext.backends.store.verdicts import KeptVerdicts


@dataclass(frozen=True)
class Beside:
    """All of one catalogue; `record` takes what the user said to user.jsonl, and from there into
    the tables.
    """

    database: Database
    record: Record
    tallies: CountedTallies = field(init=False)
    verdicts: KeptVerdicts = field(init=False)
    recipes: KeptRecipes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tallies", CountedTallies(self.database))
        object.__setattr__(self, "verdicts", KeptVerdicts(self.database, self.record))
        object.__setattr__(self, "recipes", KeptRecipes(self.database, self.record))
