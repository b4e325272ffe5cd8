"""Entries, and the keys that lead to them, as rows."""

from __future__ import annotations

import sqlite3
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from stylus_ext.catalogue.store import codec
from stylus_ext.catalogue.store.codec import from_column, indexed, to_column
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import VIEWS, Edits, Entry, embedded_text, text_fingerprint
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.lru import LruCache
from stylus_ext.core.probe import Probe

_PARAMETERS = 500
"""Of one SQL statement."""


def chunks(keys: Iterable[str], most: int = _PARAMETERS) -> Iterator[tuple[list[str], str]]:
    """Split keys into chunks for SQLite parameters, with their placeholders."""
    rest = list(dict.fromkeys(keys))
    for start in range(0, len(rest), most):
        some = rest[start : start + most]
        yield some, ",".join("?" * len(some))


def first_keys(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, str]:
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


def other_keys(connection: sqlite3.Connection, first: str) -> list[str]:
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
    found = first_keys(connection, keys)
    for key in keys:
        if key in found:
            return found[key]
    for key in keys:
        row = connection.execute("SELECT first FROM aliases WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return str(row[0])
    return keys[0]


def adopt_keys(connection: sqlite3.Connection, first: str, others: Iterable[str]) -> None:
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
        move_rows(connection, before, first)


def forget_keys(connection: sqlite3.Connection, first: str, keys: Sequence[str]) -> None:
    """Remove these aliases."""
    connection.executemany(
        "DELETE FROM aliases WHERE first = ? AND key = ?", ((first, key) for key in keys)
    )


def move_rows(connection: sqlite3.Connection, other: str, first: str) -> None:
    """Move everything under `other` to `first`, which keeps its own values."""
    for table in ("edits", "cards", "uses", "probes"):
        connection.execute(f"UPDATE OR IGNORE {table} SET key = ? WHERE key = ?", (first, other))  # noqa: S608
        connection.execute(f"DELETE FROM {table} WHERE key = ?", (other,))  # noqa: S608
    connection.execute("UPDATE aliases SET first = ? WHERE first = ?", (first, other))
    connection.execute("DELETE FROM aliases WHERE key = ?", (first,))
    connection.execute("INSERT OR REPLACE INTO aliases (key, first) VALUES (?, ?)", (other, first))


_COLUMNS = "e.key, e.revision, e.family, b.body, d.edits, m.probe"
_FROM = (
    "FROM entries e JOIN bodies b ON b.id = e.id LEFT JOIN edits d ON d.key = e.key"
    " LEFT JOIN probes m ON m.key = e.key"
)
_PAGE = 1000
_MOST_TEXT = 2000
Row = tuple[str, int, str, str, "str | None", "str | None"]


@dataclass
class Batch:
    """One write transaction; every changed entry gets a new revision."""

    connection: sqlite3.Connection
    revision: int

    def next_revision(self) -> int:
        self.revision += 1
        return self.revision


def listed_name(name: str) -> str:
    """Name in the form used for sorting and substring search."""
    return to_column(unicodedata.normalize("NFKC", name).casefold())


@contextmanager
def decoding() -> Iterator[None]:
    """Report undecodable rows as damage, since SQLite pages have no checksums."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, KeyError, InvalidInput) as error:
        raise sqlite3.DatabaseError(f"malformed content: {error}") from error


def key_of(column: str) -> AdapterKey:
    return AdapterKey.parse(from_column(column))


def entries_of(connection: sqlite3.Connection, rows: list[Row]) -> list[Entry]:
    files = files_of(connection, [row[0] for row in rows])
    with decoding():
        return [
            Entry(
                *codec.body_of(body),
                from_column(family),
                Edits() if edits is None else codec.edits_of(codec.load(edits)),
                files.get(key, ()),
                _probe_of(probe, files.get(key, ())),
            )
            for key, _, family, body, edits, probe in rows
        ]


def _probe_of(column: str | None, files: Sequence[LocalFile]) -> Probe | None:
    """The stored probe, unless it is of another file than the entry's."""
    found = None if column is None else codec.probe_of(codec.load(column))
    return found if found is not None and found.is_of(files) else None


def files_of(
    connection: sqlite3.Connection, keys: Iterable[str]
) -> dict[str, tuple[LocalFile, ...]]:
    found: dict[str, tuple[LocalFile, ...]] = {}
    for some, marks in chunks(keys):
        rows = connection.execute(
            f"SELECT key, path, stem, size, mtime_ns, sha256, formats FROM files"  # noqa: S608
            f" WHERE key IN ({marks}) ORDER BY id",
            some,
        ).fetchall()
        with decoding():
            for key, *values in rows:
                found[key] = (*found.get(key, ()), file_of(*values))
    return found


def file_of(
    path: str, stem: str, size: int, mtime_ns: int, sha256: str | None, formats: str | None
) -> LocalFile:
    read = None if formats is None else tuple(formats.split())
    return LocalFile(from_column(path), from_column(stem), size, mtime_ns, sha256, read)


def entries_at(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Entry]:
    """Entries by first key."""
    found: dict[str, Entry] = {}
    for some, marks in chunks(keys):
        rows = connection.execute(
            f"SELECT {_COLUMNS} {_FROM} WHERE e.key IN ({marks})", some
        ).fetchall()
        found.update(zip((row[0] for row in rows), entries_of(connection, rows), strict=True))
    return found


def page_after(connection: sqlite3.Connection, since: int, upto: int) -> list[tuple[int, Entry]]:
    """The next entries by revision; empty at the end."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE e.revision > ? AND e.revision <= ? ORDER BY e.revision"
        f" LIMIT {_PAGE}",
        (since, upto),
    ).fetchall()
    return list(zip((row[1] for row in rows), entries_of(connection, rows), strict=True))


def put(batch: Batch, entry: Entry) -> None:
    """Write an entry; its edits shape the listing and are stored elsewhere."""
    connection, key = batch.connection, to_column(str(entry.key))
    number = _number(connection, key)
    body = codec.body_text(entry.card, entry.description)
    connection.execute("INSERT OR REPLACE INTO bodies (id, body) VALUES (?, ?)", (number, body))
    _put_files(batch, key, entry.files)
    _list(batch, number, entry)


def _number(connection: sqlite3.Connection, key: str) -> int:
    """Row id of the entry, or the next free one."""
    row = connection.execute("SELECT id FROM entries WHERE key = ?", (key,)).fetchone()
    if row is None:
        row = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM entries").fetchone()
    return int(row[0])


def _list(batch: Batch, number: int, entry: Entry) -> None:
    """Write the columns that are searched, filtered and compared."""
    connection, key = batch.connection, to_column(str(entry.key))
    prints = [text_fingerprint(embedded_text(entry, view)) for view in VIEWS]
    connection.execute(
        "INSERT OR REPLACE INTO entries (id, key, revision, family, kind, state, on_disk, name,"
        " title_print, card_print, refined, bare, favourite, added, size, type, used) VALUES"
        " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " (SELECT count(*) FROM uses WHERE key = ?))",
        (
            number,
            key,
            batch.next_revision(),
            to_column(entry.family),
            entry.kind,
            entry.edits.state,
            bool(entry.files),
            listed_name(entry.card.name),
            *prints,
            entry.description.refined,
            entry.card.bare,
            entry.edits.favourite,
            max((file.mtime_ns for file in entry.files), default=0),
            max((file.size for file in entry.files), default=0),
            entry.card.type,
            key,
        ),
    )
    connection.execute("DELETE FROM gone WHERE key = ?", (key,))
    texts = (
        entry.card.name,
        "\n".join(entry.triggers),
        "\n".join((*(entry.edits.tags or ()), *entry.card.tags)),
        f"{entry.text[:_MOST_TEXT]}\n{entry.edits.note or ''}",
        "\n".join(file.stem for file in entry.files),
    )
    connection.execute(
        "INSERT OR REPLACE INTO search (rowid, name, triggers, tags, body, files) VALUES (?, ?, ?,"
        " ?, ?, ?)",
        (number, *map(indexed, texts)),
    )


def _put_files(batch: Batch, key: str, files: Iterable[LocalFile]) -> None:
    connection = batch.connection
    connection.execute("DELETE FROM files WHERE key = ?", (key,))
    robbed: dict[str, None] = {}
    for file in files:
        path = to_column(file.path)
        robbed.update(
            dict.fromkeys(
                row[0]
                for row in connection.execute("SELECT key FROM files WHERE path = ?", (path,))
            )
        )
        connection.execute(
            "INSERT OR REPLACE INTO files (path, key, stem, size, mtime_ns, sha256, formats)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                path,
                key,
                to_column(file.stem),
                file.size,
                file.mtime_ns,
                file.sha256,
                None if file.formats is None else " ".join(file.formats),
            ),
        )
    refresh(batch, (other for other in robbed if other != key))


def refresh(batch: Batch, keys: Iterable[str]) -> None:
    """Update the listing after edits, files or names changed."""
    for key, entry in entries_at(batch.connection, keys).items():
        _list(batch, _number(batch.connection, key), entry)


def drop(batch: Batch, key: str) -> None:
    """Delete the entry; its edits stay."""
    connection = batch.connection
    number = _number(connection, key)
    for table, column, value in (
        ("entries", "id", number),
        ("bodies", "id", number),
        ("search", "rowid", number),
        ("files", "key", key),
        ("cards", "key", key),
    ):
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (value,))  # noqa: S608
    connection.execute(
        "INSERT OR REPLACE INTO gone (key, revision) VALUES (?, ?)", (key, batch.next_revision())
    )


def gone_after(
    connection: sqlite3.Connection, since: int, upto: int
) -> list[tuple[int, AdapterKey]]:
    rows = connection.execute(
        "SELECT revision, key FROM gone WHERE revision > ? AND revision <= ? ORDER BY revision",
        (since, upto),
    ).fetchall()
    with decoding():
        return [(revision, key_of(key)) for revision, key in rows]


def with_key(entry: Entry, first: AdapterKey) -> Entry:
    """Return the entry under its first key; its own key becomes an equivalent."""
    if entry.key == first:
        return entry
    others = dict.fromkeys((*entry.card.equivalents, entry.key))
    return replace(
        entry,
        card=replace(
            entry.card, key=first, equivalents=tuple(key for key in others if key != first)
        ),
    )


_CACHED = 2_000


class EntryCache:
    """Caches entries by revision; consecutive plans read the same popular ones."""

    def __init__(self, most: int = _CACHED) -> None:
        self._lock = threading.Lock()
        self._held = LruCache[str, tuple[int, Entry]](most)

    def entries_at(self, connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Entry]:
        """Read within a transaction, so that revisions and rows match."""
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
        return found

    def _keep(self, read: dict[str, Entry], revisions: dict[str, int]) -> None:
        with self._lock:
            for key, entry in read.items():
                self._held[key] = (revisions[key], entry)
