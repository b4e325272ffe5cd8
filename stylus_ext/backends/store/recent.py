"""Entries that were read lately. In: first keys. Out: their entries, made anew from rows only where
they changed since.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable

from stylus_ext.backends.store.aliases import chunks
from stylus_ext.backends.store.entries import entries_at
from stylus_ext.core.description import Entry

_MOST = 2_000


class Recent:
    """An entry's revision says whether it is still the same: one plan after the other asks for the
    same popular ones.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[int, Entry]] = OrderedDict()

    def entries_at(self, connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Entry]:
        """The connection must be in a transaction, so that revisions and rows are of one moment."""
        revisions: dict[str, int] = {}
        for some, marks in chunks(keys):
            revisions.update(
                connection.execute(
                    f"SELECT key, revision FROM entries WHERE key IN ({marks})",  # noqa: S608
                    some,
                )
            )
        found = self._find(revisions)
        read = entries_at(connection, (key for key in revisions if key not in found))
        self._keep(read, revisions)
        found.update(read)
        return found

    def _find(self, revisions: dict[str, int]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        with self._lock:
            for key, revision in revisions.items():
                held = self._held.get(key)
                if held is not None and held[0] == revision:
                    found[key] = held[1]
                    self._held.move_to_end(key)
        return found

    def _keep(self, read: dict[str, Entry], revisions: dict[str, int]) -> None:
        with self._lock:
            for key, entry in read.items():
                self._held[key] = (revisions[key], entry)
                self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
