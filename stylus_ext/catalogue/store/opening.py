"""Opens the catalogue of a data folder in any state; returns a sound database and notes."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.catalogue.store.database import (
    DAMAGED,
    STEPS,
    Damaged,
    Database,
    migrate,
    read_meta,
    version,
)
from stylus_ext.core.errors import Note, StoreProblem
from stylus_ext.core.files import make_private

_log = logging.getLogger(__name__)
NAME = "catalogue.sqlite"
_READ_ONLY, _FULL = "is read-only", "is on a full disk"
_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_ROOM = 64 * 1024
"""What SQLite needs beside the catalogue, at least."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Opening options: `vfs` selects SQLite's file system, `steps` the schema history."""

    folder: Path
    wait_s: float = 10
    holder: Callable[[], str] | None = None
    vfs: str = ""
    steps: Sequence[str] = STEPS

    @property
    def path(self) -> Path:
        return self.folder / NAME

    def database(self, mode: str) -> Database:
        options = f"mode={mode}" + (f"&vfs={self.vfs}" if self.vfs else "")
        return Database(self.path, wait_s=self.wait_s, holder=self.holder, options=options)


def open_catalogue(opening: Opening) -> tuple[Database, list[Note]]:
    try:
        opening.folder.mkdir(parents=True, exist_ok=True)
        exists = opening.path.is_file()
    except OSError as error:
        raise StoreProblem(
            f"The data folder {opening.folder} cannot be made or read: {error.strerror or error}."
        ) from error
    obstacle = _obstacle(opening, exists)
    if obstacle:
        return _read_only(opening, exists, obstacle)
    try:
        return _writable(opening)
    except Damaged as problem:
        _log.warning("%s", problem)
        aside = _move_aside(opening.path)
        database, notes = _writable(opening)
        message = (
            f"The catalogue was damaged. It was kept as {aside.name} and a new one begun; index"
            " your folders again to fill it."
        )
        return database, [Note("catalogue_rebuilt", message), *notes]


def _obstacle(opening: Opening, exists: bool) -> str:
    """What prevents writing; empty if nothing does.

    Checked by permissions, not by opening: closing would drop SQLite's locks of this process.
    """
    effective = os.access in os.supports_effective_ids
    if exists and not os.access(opening.path, os.W_OK, effective_ids=effective):
        return _READ_ONLY
    try:
        with tempfile.TemporaryFile(dir=opening.folder) as file:
            file.write(bytes(_ROOM))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return _READ_ONLY
        return _FULL if error.errno in _NO_ROOM else ""
    return ""


def _writable(opening: Opening) -> tuple[Database, list[Note]]:
    make_private(opening.path)
    database = opening.database("rwc")
    try:
        with database.translated_errors():
            return database, _prepare(database, opening)
    except BaseException:
        database.abandon()
        raise


def _prepare(database: Database, opening: Opening) -> list[Note]:
    connection = database.connection
    alone = _only_alone(connection)
    database.tune()
    have = _checked_version(connection, opening)
    notes = _journal_mode(connection, alone)
    if have > 0 and read_meta(connection, "clean") != "1":
        _check(connection)
    if have < len(opening.steps):
        with database.writing() as connection:
            # Another process may have been quicker while this one waited for the lock.
            migrate(connection, version(connection), opening.steps)
    return notes


def _checked_version(connection: sqlite3.Connection, opening: Opening) -> int:
    have = version(connection)
    if have > len(opening.steps):
        raise StoreProblem(
            f"The catalogue {opening.path} was written by a newer Stylus (schema {have}, this one"
            f" knows {len(opening.steps)}). It was left alone: update Stylus, or choose another"
            " data folder."
        )
    return have


def _only_alone(connection: sqlite3.Connection) -> bool:
    """True if a foreign write-ahead log allows just one connection here."""
    try:
        connection.execute("SELECT name FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if "unable to open" not in str(error):
            raise
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        return True
    return False


def _journal_mode(connection: sqlite3.Connection, alone: bool) -> list[Note]:
    """Use WAL where the file system supports it, else the rollback journal (network drives)."""
    mode = "" if alone else _try_log(connection)
    if mode == "wal":
        return []
    if mode != "delete":
        connection.execute("PRAGMA journal_mode = DELETE")
    if alone:
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("SELECT name FROM sqlite_master").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    message = (
        "This data folder cannot hold a write-ahead log (a network drive?), so the catalogue uses a"
        " slower kind of journal."
    )
    return [Note("catalogue_journal", message)]


def _try_log(connection: sqlite3.Connection) -> str:
    try:
        return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise
        _log.info("no write-ahead log: %s", error)
        return ""


def _check(connection: sqlite3.Connection) -> None:
    """Check every page after an unclean end: a kill is harmless, a power cut may not be."""
    result = "it was found so in use"
    if read_meta(connection, "clean") != DAMAGED:
        result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if result != "ok":
        raise Damaged(f"The catalogue is damaged: {result}.")


def _move_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.corrupt-{number}{path.suffix}")).exists():
        number += 1
    try:
        path.rename(aside)
        for end in ("-wal", "-shm", "-journal"):
            beside = path.with_name(path.name + end)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + end))
    except OSError as error:
        raise StoreProblem(
            f"The damaged catalogue {path} cannot be moved aside: {error.strerror or error}."
        ) from error
    return aside


def _read_only(opening: Opening, exists: bool, obstacle: str) -> tuple[Database, list[Note]]:
    if not exists:
        raise StoreProblem(
            f"The data folder {opening.folder} {obstacle} and holds no catalogue. Choose one that"
            " can be written."
        )
    try:
        database, have = _opened_to_read(opening, "ro")
    except Damaged:
        raise
    except StoreProblem:
        # A write-ahead log needs a file beside it that cannot be made here.
        database, have = _opened_to_read(opening, "ro&immutable=1")
    if have < len(opening.steps):
        database.abandon()
        raise StoreProblem(
            f"The catalogue {opening.path} is of an older Stylus and cannot be brought up to date:"
            f" its folder {obstacle}."
        )
    return database, [
        Note(
            "catalogue_read_only",
            f"{opening.folder} {obstacle}: the catalogue can be searched but not changed.",
        )
    ]


def _opened_to_read(opening: Opening, mode: str) -> tuple[Database, int]:
    database = opening.database(mode)
    try:
        with database.translated_errors():
            return database, _checked_version(database.connection, opening)
    except BaseException:
        database.abandon()
        raise
