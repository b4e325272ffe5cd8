"""The user's decisions: edits and cards as rows, and user.jsonl, from which they survive.

user.jsonl has one JSON object per line and is only appended to.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.store import codec, side_tables
from stylus_ext.catalogue.store import entries as rows
from stylus_ext.catalogue.store.codec import dump, from_column, load, to_column
from stylus_ext.catalogue.store.database import read_meta, write_meta
from stylus_ext.catalogue.store.entries import Batch, decoding, refresh
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.counted import counted
from stylus_ext.core.entry import Edits
from stylus_ext.core.errors import InvalidInput, Note, StoreProblem
from stylus_ext.core.files import make_private

_log = logging.getLogger(__name__)
NAME = "user.jsonl"
VERSION = 1
_SEEN = 256


@dataclass(frozen=True, slots=True)
class JournalReading:
    """Records, the new position, the number of unreadable lines, and whether the mark was found."""

    records: tuple[dict[str, Any], ...]
    mark: str
    unreadable: int
    continued: bool


class UserJournal:
    """Appends and flushes records before any database sees them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def append(self, what: str, records: Sequence[Mapping[str, Any]]) -> None:
        lines = "".join(dump({"v": VERSION, "what": what, **record}) + "\n" for record in records)
        try:
            self._write(lines.encode())
        except OSError as error:
            raise StoreProblem(
                f"{self.path} cannot be written: {error.strerror or error}. Nothing was changed."
            ) from error

    def _write(self, data: bytes) -> None:
        make_private(self.path)
        with self.path.open("ab") as file:
            # A line that was torn by a kill must not swallow the one that follows.
            file.write((b"\n" if self._torn() else b"") + data)
            file.flush()
            os.fsync(file.fileno())

    def _torn(self) -> bool:
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return False
            file.seek(size - 1)
            return file.read(1) != b"\n"

    def repair(self) -> bool:
        """Terminate a last line that a kill left unfinished; returns True if needed."""
        try:
            if not self.path.exists() or not self._torn():
                return False
            self._write(b"")
        except OSError as error:
            raise StoreProblem(
                f"{self.path} cannot be repaired: {error.strerror or error}."
            ) from error
        return True

    def since(self, mark: str) -> JournalReading:
        """Records after `mark`; all records if the file is another one."""
        try:
            before, data, continued = self._read(mark)
        except OSError as error:
            raise StoreProblem(f"{self.path} cannot be read: {error.strerror or error}.") from error
        records, unreadable = [], 0
        for line in data.split(b"\n"):
            if line.strip():
                record = _record(line)
                if record is None:
                    unreadable += 1
                else:
                    records.append(record)
        start = _place(mark) if continued else 0
        return JournalReading(
            tuple(records), _mark(start + len(data), before + data), unreadable, continued
        )

    def _read(self, mark: str) -> tuple[bytes, bytes, bool]:
        """Bytes before and after the mark, and whether the former match it."""
        if not self.path.exists():
            return b"", b"", _place(mark) == 0
        with self.path.open("rb") as file:
            start = _place(mark)
            file.seek(max(0, start - _SEEN))
            before = file.read(min(start, _SEEN))
            if not mark or _mark(start, before) == mark:
                return before, file.read(), True
            file.seek(0)
            return b"", file.read(), False


def _place(mark: str) -> int:
    return int(mark.partition(":")[0] or 0)


def _mark(place: int, before: bytes) -> str:
    return f"{place}:{hashlib.sha256(before[-_SEEN:]).hexdigest()[:16]}"


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = load(line.decode("utf-8-sig"))  # some editors begin a file with a mark
    except (ValueError, RecursionError):
        return None
    right = (
        isinstance(record, dict)
        and isinstance(record.get("what"), str)
        and record.get("v") == VERSION
    )
    return record if right else None


def keep_card(connection: sqlite3.Connection, card: AdapterCard) -> str:
    """Store a card under the first key of its names, merging what waited under them."""
    names = names_of(card)
    first = rows.owner(connection, names)
    rows.adopt_keys(connection, first, names)
    connection.execute(
        "INSERT OR REPLACE INTO cards (key, source, about, card) VALUES (?, ?, ?, ?)",
        (first, to_column(card.source), _about(card), codec.card_text(card)),
    )
    return first


def stated_cards(
    connection: sqlite3.Connection, firsts: Iterable[str]
) -> dict[str, tuple[AdapterCard, ...]]:
    found: dict[str, tuple[AdapterCard, ...]] = {}
    for some, marks in rows.chunks(firsts):
        held = connection.execute(
            f"SELECT key, card FROM cards WHERE key IN ({marks}) ORDER BY key, source, about",  # noqa: S608
            some,
        ).fetchall()
        with decoding():
            for first, card in held:
                found[first] = (*found.get(first, ()), codec.card_of(load(card)))
    return found


def names_stated(connection: sqlite3.Connection, first: str) -> set[str]:
    """All names that the stored cards of a first key state."""
    return {
        name for card in stated_cards(connection, [first]).get(first, ()) for name in names_of(card)
    }


def names_of(card: AdapterCard) -> list[str]:
    return [to_column(str(key)) for key in (card.key, *card.equivalents)]


def _about(card: AdapterCard) -> str:
    """Distinguishes several cards of one source: by file or version; pictures have one card."""
    if card.source == "pictures":
        return ""
    names = names_of(card)
    return next((name for name in names if name.startswith("path:")), names[0])


_OTHER_RECORDS = {
    side_tables.FEEDBACK: (side_tables.apply_feedback, side_tables.feedback_records),
    side_tables.RECIPE: (side_tables.apply_recipe, side_tables.recipe_records),
}
"""What writes a record into its table, and what moves all rows into records."""

EDIT = "edits"
_MARK = "journal"


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Result of replaying user.jsonl: applied records, unreadable lines, and whether the file was
    known.
    """

    applied: int
    unreadable: int
    continued: bool

    def notes(self, torn: bool) -> list[Note]:
        """Notes for the user; a `torn` last line is reported separately."""
        notes = []
        unreadable = self.unreadable - torn
        if not self.continued:
            text = (
                "user.jsonl was not the file that this catalogue knew: edits of both are kept, the"
                " catalogue's where they differ."
            )
            notes.append(Note("user_journal_replaced", text))
        elif self.applied:
            text = counted(self.applied, "edit of yours was", "edits of yours were")
            notes.append(Note("edits_replayed", f"{text} taken back from user.jsonl."))
        if unreadable > 0:
            text = counted(unreadable, "line")
            text += (
                " of user.jsonl could not be read; nothing was taken from there, and nothing"
                " removed."
            )
            notes.append(Note("user_journal_unreadable", text))
        return notes


def edits_at(connection: sqlite3.Connection, first: str) -> Edits | None:
    row = connection.execute("SELECT edits FROM edits WHERE key = ?", (first,)).fetchone()
    return None if row is None else codec.edits_of(load(row[0]))


def edit_record(
    connection: sqlite3.Connection, first: str, edits: Edits, parted: Sequence[str] = ()
) -> dict[str, Any]:
    """Record with all names of the adapter, so that edits find it in any catalogue.

    `parted` are names that turned out to belong to another adapter.
    """
    others = [from_column(name) for name in rows.other_keys(connection, first)]
    record: dict[str, Any] = {
        "key": from_column(first),
        "equivalents": others,
        "edits": codec.edits_plain(edits),
    }
    return {**record, "parted": [from_column(name) for name in parted]} if parted else record


def keep_with_edits(batch: Batch, journal: UserJournal, card: AdapterCard) -> None:
    """Store a card and merge the edits that waited under its names; none is lost."""
    held = _waiting(batch.connection, names_of(card))
    before = (
        set(rows.other_keys(batch.connection, rows.owner(batch.connection, names_of(card))))
        if held
        else set()
    )
    first = keep_card(batch.connection, card)
    # user.jsonl shall find the adapter by every name that it has, or the words would be lost with
    # the one that they belonged to.
    if len(held) > 1 or (held and not before.issuperset(rows.other_keys(batch.connection, first))):
        record_edits(
            batch, journal, [edit_record(batch.connection, first, reduce(Edits.filled, held))]
        )


def _waiting(connection: sqlite3.Connection, names: Sequence[str]) -> list[Edits]:
    """Edits under these names, except those of other existing entries."""
    first = rows.owner(connection, names)
    owners = dict.fromkeys([first, *(rows.owner(connection, [name]) for name in names)])
    held = (
        edits_at(connection, key)
        for key in owners
        if key == first or not rows.is_entry(connection, key)
    )
    return [edits for edits in held if edits is not None]


def record_edits(batch: Batch, journal: UserJournal, records: Sequence[Mapping[str, Any]]) -> None:
    """Append records to user.jsonl, then apply them, with those of other processes."""
    journal.append(EDIT, records)
    replay(batch, journal)


def is_behind(connection: sqlite3.Connection, journal: UserJournal) -> bool:
    mark = read_meta(connection, _MARK)
    reading = journal.since(mark)
    return not reading.continued or (
        reading.mark != mark and bool(reading.records or reading.unreadable)
    )


def replay(batch: Batch, journal: UserJournal) -> ReplayResult:
    reading = journal.since(read_meta(batch.connection, _MARK))
    continued = reading.continued
    if not continued:
        journal.append(EDIT, _all_records(batch.connection))
        for what, (_, take_all) in _OTHER_RECORDS.items():
            journal.append(what, take_all(batch.connection))
        reading = journal.since("")
    caught = _apply_all(batch, reading, continued)
    write_meta(batch.connection, _MARK, reading.mark)
    return caught


def _all_records(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = connection.execute("SELECT key, edits FROM edits ORDER BY key").fetchall()
    return [edit_record(connection, key, codec.edits_of(load(text))) for key, text in rows]


def _apply_all(batch: Batch, reading: JournalReading, continued: bool) -> ReplayResult:
    applied, unreadable = 0, reading.unreadable
    for record in reading.records:
        try:
            applied += _take(batch, record)
        except InvalidInput:
            unreadable += 1
    return ReplayResult(applied, unreadable, continued)


def _take(batch: Batch, record: Mapping[str, Any]) -> bool:
    """Apply a record; False if this version does not know its kind."""
    if record["what"] == EDIT:
        _apply(batch, record)
    elif record["what"] in _OTHER_RECORDS:
        _OTHER_RECORDS[record["what"]][0](batch.connection, record)
    else:
        return False
    return True


def _apply(batch: Batch, record: Mapping[str, Any]) -> None:
    connection = batch.connection
    parted = _columns(record.get("parted"))
    keys = [*_columns([record.get("key")]), *_columns(record.get("equivalents"))]
    edits = codec.edits_of(record.get("edits"))
    if not keys:
        raise InvalidInput("An edit without a key says nothing about any adapter.")
    # Where there is no entry yet, the record's own key is the first: whatever was said before is
    # older.
    firsts = rows.first_keys(connection, (key for key in keys if key not in parted))
    first = next((firsts[key] for key in keys if key in firsts), keys[0])
    put_edits(connection, first, edits)
    rows.adopt_keys(connection, first, keys)
    if parted:
        vouched = names_stated(connection, first)
        rows.forget_keys(connection, first, [name for name in parted if name not in vouched])
    refresh(batch, [first])


def _columns(names: Any) -> list[str]:
    return (
        [to_column(str(AdapterKey.parse(name))) for name in names if isinstance(name, str)]
        if isinstance(names, list)
        else []
    )


def put_edits(connection: sqlite3.Connection, first: str, edits: Edits) -> None:
    text = dump(codec.edits_plain(edits))
    connection.execute("INSERT OR REPLACE INTO edits (key, edits) VALUES (?, ?)", (first, text))
