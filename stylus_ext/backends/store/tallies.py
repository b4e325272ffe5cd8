"""Counts of the whole catalogue. In: the database. Out: a `Tally`, counted once for each of its
revisions.
"""

from __future__ import annotations

import sqlite3
from collections import Counter

from stylus_ext.backends.store.codec import from_column
from stylus_ext.backends.store.database import Database
from stylus_ext.backends.store.schema import read_meta
from stylus_ext.core.browsing import Tally

_ENTRIES = (
    "SELECT family, kind, state, on_disk, refined, bare, count(*) FROM entries GROUP BY 1, 2, 3, 4,"
    " 5, 6"
)
_DUPLICATES = (
    "SELECT coalesce(sum(more), 0) FROM (SELECT count(*) - 1 AS more FROM files GROUP BY key)"
)
_UNNAMED = """SELECT count(*) FROM files f WHERE f.key NOT LIKE 'civitai:%'
    AND NOT EXISTS (SELECT 1 FROM aliases a WHERE a.first = f.key AND a.key LIKE 'civitai:%')"""


class CountedTallies:
    """Implements `Tallies`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: tuple[str, Tally] | None = None

    def tally(self) -> Tally:
        with self._database.snapshot() as connection:
            revision = read_meta(connection, "revision")
            known = self._known
            if known is None or known[0] != revision:
                known = self._known = (revision, _counted(connection))
            return known[1]


def _counted(connection: sqlite3.Connection) -> Tally:
    families: Counter[str] = Counter()
    here: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    states: Counter[str] = Counter()
    refined = bare = 0
    for family, kind, state, on_disk, is_refined, is_bare, number in connection.execute(_ENTRIES):
        families[from_column(family)] += number
        here[from_column(family)] += number * on_disk
        kinds[kind] += number
        states[state] += number
        refined += number * is_refined
        bare += number * (is_bare and on_disk)
    return Tally(
        entries=families.total(),
        on_disk=here.total(),
        families={name: (number, here[name]) for name, number in families.most_common()},
        kinds=dict(kinds.most_common()),
        states=dict(states),
        refined=refined,
        bare=bare,
        duplicates=connection.execute(_DUPLICATES).fetchone()[0],
        unnamed=connection.execute(_UNNAMED).fetchone()[0],
    )
