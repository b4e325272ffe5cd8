"""Alias table: maps every key of an adapter to its first key."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

_MOST = 500


def chunks(keys: Iterable[str], most: int = _MOST) -> Iterator[tuple[list[str], str]]:
    """Split keys into chunks for SQLite parameters, with their placeholders."""
    rest = list(dict.fromkeys(keys))
    for start in range(0, len(rest), most):
        some = rest[start : start + most]
        yield some, ",".join("?" * len(some))


def firsts(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, str]:
    """First key of each key that leads to an entry."""
    found: dict[str, str] = {}
    for some, marks in chunks(keys):
        held = connection.execute(f"SELECT key FROM entries WHERE key IN ({marks})", some)  # noqa: S608
        found.update((key, key) for (key,) in held)
        rest = [key for key in some if key not in found]
        if rest:
            found.update(
                connection.execute(
                    "SELECT a.key, a.first FROM aliases a JOIN entries e ON e.key = a.first "  # noqa: S608
                    f"WHERE a.key IN ({','.join('?' * len(rest))})",
                    rest,
                )
            )
    return found


def names(connection: sqlite3.Connection, first: str) -> list[str]:
    """All other keys of the entry."""
    return [
        key
        for (key,) in connection.execute(
            "SELECT key FROM aliases WHERE first = ? ORDER BY key", (first,)
        )
    ]


def is_entry(connection: sqlite3.Connection, key: str) -> bool:
    return connection.execute("SELECT 1 FROM entries WHERE key = ?", (key,)).fetchone() is not None


def owner(connection: sqlite3.Connection, keys: Sequence[str]) -> str:
    """The key that holds the edits: the entry's, else the first key known."""
    found = firsts(connection, keys)
    for key in keys:
        if key in found:
            return found[key]
    for key in keys:
        row = connection.execute("SELECT first FROM aliases WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return str(row[0])
    return keys[0]


def adopt(connection: sqlite3.Connection, first: str, others: Iterable[str]) -> None:
    """Make `others` aliases of `first` with their waiting edits, unless taken by another entry."""
    for key in (first, *others):
        row = connection.execute("SELECT first FROM aliases WHERE key = ?", (key,)).fetchone()
        before = key if row is None else row[0]
        if (
            before == first
            or (before != key and is_entry(connection, before))
            or (key != first and is_entry(connection, key))
        ):
            continue
        move(connection, before, first)


def forget(connection: sqlite3.Connection, first: str, keys: Sequence[str]) -> None:
    """Remove these aliases."""
    connection.executemany(
        "DELETE FROM aliases WHERE first = ? AND key = ?", ((first, key) for key in keys)
    )


def move(connection: sqlite3.Connection, other: str, first: str) -> None:
    """Move everything under `other` to `first`, which keeps its own values."""
    for table in ("edits", "cards"):
        connection.execute(f"UPDATE OR IGNORE {table} SET key = ? WHERE key = ?", (first, other))  # noqa: S608
        connection.execute(f"DELETE FROM {table} WHERE key = ?", (other,))  # noqa: S608
    connection.execute("UPDATE aliases SET first = ? WHERE first = ?", (first, other))
    connection.execute("DELETE FROM aliases WHERE key = ?", (first,))
    connection.execute("INSERT OR REPLACE INTO aliases (key, first) VALUES (?, ?)", (other, first))
