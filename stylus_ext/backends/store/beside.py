"""What stands beside the entries in the catalogue's file, each in a room of its own. In: the database. Out: those rooms."""

from __future__ import annotations

from dataclasses import dataclass, field

from stylus_ext.backends.store.database import Database
from stylus_ext.backends.store.tallies import CountedTallies


@dataclass(frozen=True)
class Beside:
    """All of one catalogue."""

    database: Database
    tallies: CountedTallies = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tallies", CountedTallies(self.database))
