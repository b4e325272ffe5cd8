"""Tables of the user's pictures and of the adapters that they were made with."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from stylus_ext.catalogue.store import entries as rows
from stylus_ext.catalogue.store.codec import from_column, to_column
from stylus_ext.catalogue.store.database import Database
from stylus_ext.catalogue.store.entries import Batch
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.ports import PictureUse, UseHistory

_COUNTED = """
UPDATE entries SET used = (SELECT count(*) FROM uses WHERE uses.key = entries.key)
    WHERE used <> (SELECT count(*) FROM uses WHERE uses.key = entries.key)
"""


class UseTable:
    """Implements `Uses`; deleted with the catalogue, since it can be read again."""

    def __init__(
        self, database: Database, changing: Callable[[], AbstractContextManager[Batch]]
    ) -> None:
        self._database, self._changing = database, changing

    def replace(self, folders: Sequence[str], uses: Iterable[PictureUse]) -> None:
        found = list(uses)
        with self._changing() as batch:
            connection = batch.connection
            for folder in folders:
                _forget(connection, to_column(os.path.join(folder, "")))  # noqa: PTH118
            connection.executemany(
                "INSERT INTO pictures (path, made) VALUES (?, ?)"
                " ON CONFLICT (path) DO UPDATE SET made = excluded.made",
                {to_column(use.path): use.made for use in found}.items(),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO uses (key, picture, weight)"
                " SELECT ?, id, ? FROM pictures WHERE path = ?",
                (
                    (rows.owner(connection, [to_column(str(key))]), weight, to_column(path))
                    for key, path, weight in ((use.key, use.path, use.weight) for use in found)
                ),
            )
            if connection.execute(_COUNTED).rowcount:
                batch.next_revision()

    def counts(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, int]:
        columns = {to_column(str(key)): key for key in keys}
        found: dict[AdapterKey, int] = {}
        with self._database.reading() as connection:
            for some, marks in rows.chunks(columns):
                held = connection.execute(
                    f"SELECT key, used FROM entries WHERE used > 0 AND key IN ({marks})",  # noqa: S608
                    some,
                )
                found.update((columns[key], number) for key, number in held)
        return found

    def history(self, key: AdapterKey, newest: int) -> UseHistory:
        with self._database.snapshot() as connection:
            first = rows.owner(connection, [to_column(str(key))])
            weights = connection.execute(
                "SELECT weight, count(*) FROM uses WHERE key = ? GROUP BY 1 ORDER BY 2 DESC, 1",
                (first,),
            ).fetchall()
            pictures = connection.execute(
                "SELECT p.path, p.made, u.weight FROM uses u JOIN pictures p ON p.id = u.picture"
                " WHERE u.key = ? ORDER BY p.made DESC, p.path LIMIT ?",
                (first, newest),
            ).fetchall()
        uses = (PictureUse(key, from_column(path), made, weight) for path, made, weight in pictures)
        return UseHistory(tuple(weights), tuple(uses))


def _forget(connection: sqlite3.Connection, start: str) -> None:
    """Delete the pictures whose path starts so."""
    below = "substr(path, 1, ?) = ?", (len(start), start)
    connection.execute(
        f"DELETE FROM uses WHERE picture IN (SELECT id FROM pictures WHERE {below[0]})",  # noqa: S608
        below[1],
    )
    connection.execute(f"DELETE FROM pictures WHERE {below[0]}", below[1])  # noqa: S608
