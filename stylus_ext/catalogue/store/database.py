"""One SQLite file used from several threads: connections, transactions, error translation."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from stylus_ext.core.errors import StoreProblem, StylusError, Unavailable

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
        with self.told():
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
    def told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # The latter where a damaged schema makes SQLite's own message unreadable.
            raise self._problem(error) from error

    def _problem(self, error: Exception) -> StylusError:
        said = str(error).lower()
        if any(word in said for word in _LOCKED):
            holder = self._holder() if self._holder else ""
            by = holder or "another program"
            return Unavailable(
                f"The catalogue {self.path} is in use by {by}, still after {self._wait_s:g} s."
                " Close it, or try again later."
            )
        if any(word in said for word in _DAMAGED):
            self._damaged = True
            return Damaged(
                f"The catalogue {self.path} is damaged ({error}). It is set aside and built anew"
                " when Stylus starts next."
            )
        if "full" in said:
            return StoreProblem(
                f"The disk that holds {self.path} is full. Make room, then try again: nothing was"
                " changed."
            )
        if "readonly" in said:
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
        with self.told():
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
        with self._lock, self.told():
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
