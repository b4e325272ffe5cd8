"""Who is whom: first keys and the other keys of the same adapter. In: keys as columns. Out: the
keys under which entries stand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

_MOST = 500


def chunks(keys: Iterable[str], most: int = _MOST) -> Iterator[tuple[list[str], str]]:
    """Keys in handfuls that SQLite takes as parameters, each with its question marks."""
    rest = list(dict.fromkeys(keys))
    for start in range(0, len(rest), most):
        some = rest[start : start + most]
        yield some, ",".join("?" * len(some))


def firsts(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, str]:
    """The first key of each key that leads to an entry."""
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
    """Every other key under which the entry is known."""
    return [
        key
        for (key,) in connection.execute(
            "SELECT key FROM aliases WHERE first = ? ORDER BY key", (first,)
        )
    ]


def is_entry(connection: sqlite3.Connection, key: str) -> bool:
    return connection.execute("SELECT 1 FROM entries WHERE key = ?", (key,)).fetchone() is not None


def owner(connection: sqlite3.Connection, keys: Sequence[str]) -> str:
    """Where edits of an adapter with these keys belong: at its entry if there is one, else at the
    first key known of it.
    """
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
    """`others` become names of `first`, with what waited under them, unless another entry has or is
    them already.
    """
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
    """These do not lead there any more."""
    connection.executemany(
        "DELETE FROM aliases WHERE first = ? AND key = ?", ((first, key) for key in keys)
    )


def move(connection: sqlite3.Connection, other: str, first: str) -> None:
    """What is kept under `other` goes over to `first`, which keeps its own where both have
    something.
    """
    for table in ("edits", "cards"):
        connection.execute(f"UPDATE OR IGNORE {table} SET key = ? WHERE key = ?", (first, other))  # noqa: S608
        connection.execute(f"DELETE FROM {table} WHERE key = ?", (other,))  # noqa: S608
    connection.execute("UPDATE aliases SET first = ? WHERE first = ?", (first, other))
    connection.execute("DELETE FROM aliases WHERE key = ?", (first,))
    connection.execute("INSERT OR REPLACE INTO aliases (key, first) VALUES (?, ?)", (other, first))
