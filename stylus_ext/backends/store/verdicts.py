"""Implements `Verdicts` in the catalogue's file; user.jsonl has each before, so that they survive
any database.

In: a key, a prompt and whether it was wrong there. Out: all verdicts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from stylus_ext.backends.store.codec import from_column, to_column
from stylus_ext.backends.store.database import Database
from stylus_ext.backends.store.schema import read_meta, write_meta
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.verdicts import Verdict

WHAT = "verdict"
_MARK = "verdicts"
_LONGEST = 4000
_MOST = 5000


class KeptVerdicts:
    """`record` puts what was said into user.jsonl and from there into the catalogue."""

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
        self._record(WHAT, {"key": str(key), "prompt": prompt[:_LONGEST], "wrong": wrong})

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


def apply(connection: sqlite3.Connection, said: Mapping[str, Any]) -> None:
    """One record of user.jsonl."""
    key, prompt, wrong = said.get("key"), said.get("prompt"), said.get("wrong")
    if not isinstance(key, str) or not isinstance(prompt, str) or not isinstance(wrong, bool):
        raise InvalidInput("A verdict names an adapter, a prompt, and whether it was wrong there.")
    times = said.get("times", 1)
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


def take_all(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """As records, for a user.jsonl that lacks them; the table is empty afterwards, and filled from
    there again.
    """
    rows = connection.execute("SELECT key, prompt, times FROM verdicts ORDER BY rowid").fetchall()
    connection.execute("DELETE FROM verdicts")
    return [
        {"key": from_column(key), "prompt": from_column(prompt), "wrong": True, "times": times}
        for key, prompt, times in rows
    ]
