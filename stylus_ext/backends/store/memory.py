"""What a use case wants to find again after any end, in the catalogue's own file: a name and a text
go in, the text comes out.

Written behind what it speaks of, into the same write-ahead log: whatever a kill or a power cut
takes away, it takes this first.
"""

from __future__ import annotations

from stylus_ext.backends.store.codec import from_column, to_column
from stylus_ext.backends.store.database import Database
from stylus_ext.backends.store.schema import read_meta, write_meta

_PREFIX = "memory."


class Memory:
    """Implements `Memory` of core; gone with the catalogue, as it should be."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remembered(self, name: str) -> str:
        """Empty where nothing was."""
        with self._database.reading() as connection:
            return from_column(read_meta(connection, _PREFIX + name))

    def remember(self, name: str, text: str) -> None:
        with self._database.writing() as connection:
            if text:
                write_meta(connection, _PREFIX + name, to_column(text))
            else:
                connection.execute("DELETE FROM meta WHERE name = ?", (_PREFIX + name,))
