"""catalogue.sqlite: its schema, and connections and transactions for several threads."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from stylus_ext.core.errors import StoreProblem, StylusError, Unavailable

# What is listed and filtered is kept apart from the long texts, so that a search over everything
# reads few pages.
_FIRST = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL,
    family TEXT NOT NULL, kind TEXT NOT NULL,
    state TEXT NOT NULL, on_disk INTEGER NOT NULL, name TEXT NOT NULL, title_print TEXT NOT NULL,
    card_print TEXT NOT NULL);
CREATE INDEX entries_by_revision ON entries (revision);
CREATE INDEX entries_by_name ON entries (name, id, family, kind, state, on_disk);
CREATE TABLE bodies (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE gone (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX gone_by_revision ON gone (revision);
CREATE TABLE cards (key TEXT NOT NULL, source TEXT NOT NULL, card TEXT NOT NULL, PRIMARY KEY (key,
    source)) WITHOUT ROWID;
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, key TEXT NOT NULL, stem TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, sha256 TEXT);
CREATE INDEX files_by_key ON files (key);
CREATE TABLE aliases (key TEXT PRIMARY KEY, first TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX aliases_by_first ON aliases (first);
CREATE TABLE edits (key TEXT PRIMARY KEY, edits TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5 (
    name, triggers, tags, body, files, tokenize = "unicode61 remove_diacritics 2", prefix = '1 2');
"""
# Of the files or versions that are one adapter each has its own card, so that they can be told
# apart again.
_CARDS = """
CREATE TABLE kept (
    key TEXT NOT NULL, source TEXT NOT NULL, about TEXT NOT NULL, card TEXT NOT NULL,
    PRIMARY KEY (key, source, about)) WITHOUT ROWID;
INSERT INTO kept SELECT key, source, CASE source WHEN 'pictures' THEN '' ELSE coalesce(
    (SELECT value FROM json_each(card, '$.equivalents')
     WHERE value LIKE CASE source WHEN 'local' THEN 'path:%' ELSE 'civitai:%' END LIMIT 1),
     json_extract(card, '$.key'), key) END, card
    FROM cards;
DROP TABLE cards;
ALTER TABLE kept RENAME TO cards
"""
_VERDICTS = (
    "CREATE TABLE verdicts (key TEXT NOT NULL, prompt TEXT NOT NULL, times INTEGER NOT NULL,"
    " PRIMARY KEY (key, prompt))"
)
# The Catalogue tab filters by both; listing stays a walk along one index.
_MARKS = """
ALTER TABLE entries ADD COLUMN refined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN bare INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET (refined, bare) = (
    SELECT json_extract(body, '$[1].source') <> 'card', coalesce(json_extract(body, '$[0].weak'), 0)
        OR coalesce(json_extract(body, '$[0].text'), json_extract(body, '$[0].triggers'),
        json_extract(body, '$[0].tags'),
            json_extract(body, '$[0].examples')) IS NULL
    FROM bodies WHERE bodies.id = entries.id)
    WHERE id IN (SELECT id FROM bodies);
DROP INDEX entries_by_name;
CREATE INDEX entries_by_name ON entries (name, id, family, kind, state, on_disk, refined, bare)
"""
_RECIPES = "CREATE TABLE recipes (name TEXT PRIMARY KEY, recipe TEXT NOT NULL) WITHOUT ROWID"
# Civitai's base model "Other" was once read as a family. The new revisions make indexes follow.
_OTHER = """
UPDATE entries SET family = 'unknown',
    revision = id + (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'revision')
    WHERE family = 'other';
UPDATE meta SET value = CAST(max(CAST(value AS INTEGER),
    (SELECT coalesce(max(revision), 0) FROM entries)) AS TEXT) WHERE name = 'revision'
"""
# What the gallery sorts by is a column, so that a page is one walk along one index.
_GALLERY = """
CREATE TABLE pictures (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, made REAL NOT NULL);
CREATE TABLE uses (key TEXT NOT NULL, picture INTEGER NOT NULL, weight REAL NOT NULL,
    PRIMARY KEY (key, picture)) WITHOUT ROWID;
ALTER TABLE entries ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN added INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET (added, size) = (SELECT max(mtime_ns), max(size) FROM files
    WHERE files.key = entries.key) WHERE key IN (SELECT key FROM files);
DROP INDEX entries_by_name;
CREATE INDEX entries_by_name ON entries (name, id, family, kind, state, on_disk, refined, bare,
    favourite, used, added, size)
"""
# A far page is a walk too; without these all entries would be sorted for it.
_ORDERS = ";".join(
    f"CREATE INDEX entries_by_{column} ON entries ({column} DESC, name, id, family, kind, state,"
    f" on_disk, refined, bare, favourite{more})"
    for column, more in (("added", ", used"), ("size", ", used"), ("used", ""))
)
_FORMATS = "ALTER TABLE files ADD COLUMN formats TEXT"
_TYPES = """
ALTER TABLE entries ADD COLUMN type TEXT NOT NULL DEFAULT 'lora';
CREATE INDEX entries_by_type ON entries (type) WHERE type <> 'lora';
DROP INDEX entries_by_name;
CREATE INDEX entries_by_name ON entries (name, id, family, kind, state, on_disk, refined, bare,
    favourite, used, added, size, type);
""" + ";".join(
    f"DROP INDEX entries_by_{column}; CREATE INDEX entries_by_{column} ON entries ({column} DESC,"
    f" name, id, family, kind, state, on_disk, refined, bare, favourite{more}, type)"
    for column, more in (("added", ", used"), ("size", ", used"), ("used", ""))
)
_PROBES = "CREATE TABLE probes (key TEXT PRIMARY KEY, probe TEXT NOT NULL) WITHOUT ROWID"
_CAPTIONS = """
CREATE TABLE captions (sha256 TEXT NOT NULL, interrogator TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (sha256, interrogator)) WITHOUT ROWID;
CREATE TABLE captioned (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL) WITHOUT ROWID
"""
STEPS: tuple[str, ...] = (
    _FIRST,
    _CARDS,
    _VERDICTS,
    _MARKS,
    _RECIPES,
    _OTHER,
    _GALLERY,
    _ORDERS,
    _FORMATS,
    _TYPES,
    _PROBES,
    _CAPTIONS,
)
"""Step n leads from schema n to schema n + 1; a new database takes them all. Steps are added, never
changed.
"""


def version(connection: sqlite3.Connection) -> int:
    """Schema version; 0 for an empty file; foreign databases are refused."""
    tables = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    if not tables:
        return 0
    stored = read_meta(connection, "schema") if "meta" in tables else ""
    if not stored.isdigit():
        raise StoreProblem(
            "catalogue.sqlite was not made by Stylus. It was left alone: move it away, or"
            " choose another data folder."
        )
    return int(stored)


def migrate(connection: sqlite3.Connection, have: int, steps: Sequence[str] = STEPS) -> None:
    for step in steps[have:]:
        for statement in step.split(";"):
            if statement.strip():
                connection.execute(statement)
    if have == 0:
        for name, value in (
            ("identity", secrets.token_hex(16)),
            ("revision", "0"),
            ("clean", "1"),
            ("journal", ""),
        ):
            write_meta(connection, name, value)
    write_meta(connection, "schema", str(len(steps)))


def read_meta(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])


def write_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


_LOCKED = ("locked", "busy", "locking protocol")
_DAMAGED = ("malformed", "not a database", "corrupt", "decode", "vtable")

_PRAGMAS = """
PRAGMA cache_size = -16000;
PRAGMA synchronous = NORMAL;
PRAGMA temp_store = MEMORY;
PRAGMA journal_size_limit = 16000000;
"""
_MOST_IDLE = 4
DAMAGED = "damaged"
"""What `clean` says in a catalogue that was found damaged in use."""


class Damaged(StoreProblem):
    """The database is unreadable; opening it again moves it aside and builds a new one."""


def address(path: PurePath) -> str:
    """SQLite URI of a path, including network paths."""
    uri = path.as_uri()
    return uri if uri.startswith("file:///") else uri.replace("file://", "file:////", 1)


class Database:
    """One locked connection for writing, and a pool for reading."""

    def __init__(
        self,
        path: Path,
        *,
        wait_s: float,
        holder: Callable[[], str] | None = None,
        options: str = "mode=rwc",
    ) -> None:
        self.path = path
        self.read_only = "mode=ro" in options
        self._address = f"{address(path.resolve())}?{options}"
        self._wait_s = wait_s
        self._holder = holder
        self._lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._damaged = False
        self._closed = False
        with self.translated_errors():
            self._writer = self._connect()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._address,
            uri=True,
            timeout=self._wait_s,
            isolation_level=None,
            check_same_thread=False,
        )

    def _connect_to_read(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            connection.executescript(_PRAGMAS)
        except (sqlite3.Error, UnicodeDecodeError):
            connection.close()
            raise
        return connection

    def tune(self) -> None:
        """Set cache pragmas, after opening has prepared the file."""
        self._writer.executescript(_PRAGMAS)

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # The latter where a damaged schema makes SQLite's own message unreadable.
            raise self._problem(error) from error

    def _problem(self, error: Exception) -> StylusError:
        message = str(error).lower()
        if any(word in message for word in _LOCKED):
            holder = self._holder() if self._holder else ""
            by = holder or "another program"
            return Unavailable(
                f"The catalogue {self.path} is in use by {by}, still after {self._wait_s:g} s."
                " Close it, or try again later."
            )
        if any(word in message for word in _DAMAGED):
            self._damaged = True
            return Damaged(
                f"The catalogue {self.path} is damaged ({error}). It is set aside and built anew"
                " when Stylus starts next."
            )
        if "full" in message:
            return StoreProblem(
                f"The disk that holds {self.path} is full. Make room, then try again: nothing was"
                " changed."
            )
        if "readonly" in message:
            return StoreProblem(
                f"The catalogue {self.path} cannot be written: it, or its folder, is read-only."
            )
        return StoreProblem(
            f"The catalogue {self.path} cannot be used: {error}. Check the disk and the data"
            " folder."
        )

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise StoreProblem(f"The catalogue {self.path} was closed. Open it again.")
        with self.translated_errors():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect_to_read()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed or len(self._idle) >= _MOST_IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Read transaction: several statements see one state."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write transaction: all or nothing."""
        if self.read_only:
            raise StoreProblem(
                f"The catalogue {self.path} cannot be written: it, or its folder, is read-only."
            )
        with self._lock, self.translated_errors():
            if self._closed:
                raise StoreProblem(f"The catalogue {self.path} was closed. Open it again.")
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute(
                    "UPDATE meta SET value = '0' WHERE name = 'clean' AND value != '0'"
                )
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.rollback()
                raise

    @property
    def connection(self) -> sqlite3.Connection:
        """The write connection, for opening outside of a transaction."""
        return self._writer

    def close(self) -> None:
        """Close, recording a clean end, so that the next opening skips the full check."""
        with self._lock:
            if not self.read_only and not self._closed:
                clean = DAMAGED if self._damaged else "1"
                with suppress(sqlite3.Error):
                    self._writer.execute(
                        "UPDATE meta SET value = ? WHERE name = 'clean' AND value != ?",
                        (clean, clean),
                    )
            self.abandon()

    def abandon(self) -> None:
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._writer.close()
