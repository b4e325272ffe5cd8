"""Cards and user edits as table rows, and edits as records of user.jsonl."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import reduce
from typing import Any

from stylus_ext.catalogue.store import aliases, codec, side_tables
from stylus_ext.catalogue.store.codec import from_column, to_column
from stylus_ext.catalogue.store.entries import Batch, refresh, sound
from stylus_ext.catalogue.store.journal import JournalReading, UserJournal
from stylus_ext.catalogue.store.schema import read_meta, write_meta
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.entry import Edits
from stylus_ext.core.errors import InvalidInput, Note


def keep_card(connection: sqlite3.Connection, card: AdapterCard) -> str:
    """Store a card under the first key of its names, merging what waited under them."""
    names = names_of(card)
    first = aliases.owner(connection, names)
    aliases.adopt(connection, first, names)
    connection.execute(
        "INSERT OR REPLACE INTO cards (key, source, about, card) VALUES (?, ?, ?, ?)",
        (first, to_column(card.source), _about(card), codec.card_text(card)),
    )
    return first


def stated(
    connection: sqlite3.Connection, firsts: Iterable[str]
) -> dict[str, tuple[AdapterCard, ...]]:
    found: dict[str, tuple[AdapterCard, ...]] = {}
    for some, marks in aliases.chunks(firsts):
        held = connection.execute(
            f"SELECT key, card FROM cards WHERE key IN ({marks}) ORDER BY key, source, about",  # noqa: S608
            some,
        ).fetchall()
        with sound():
            for first, card in held:
                found[first] = (*found.get(first, ()), codec.card_of(codec.load(card)))
    return found


def names_stated(connection: sqlite3.Connection, first: str) -> set[str]:
    """All names that the stored cards of a first key state."""
    return {name for card in stated(connection, [first]).get(first, ()) for name in names_of(card)}


def names_of(card: AdapterCard) -> list[str]:
    return [to_column(str(key)) for key in (card.key, *card.equivalents)]


def _about(card: AdapterCard) -> str:
    """Distinguishes several cards of one source: by file or version; pictures have one card."""
    if card.source == "pictures":
        return ""
    names = names_of(card)
    return next((name for name in names if name.startswith("path:")), names[0])


@dataclass(frozen=True, slots=True)
class RecordKind:
    """`apply` writes a record into the tables, `take_all` moves all rows into records."""

    apply: Callable[[sqlite3.Connection, Mapping[str, Any]], None]
    take_all: Callable[[sqlite3.Connection], list[dict[str, Any]]]


RECORD_KINDS: Mapping[str, RecordKind] = {
    side_tables.FEEDBACK: RecordKind(side_tables.apply_feedback, side_tables.feedback_records),
    side_tables.RECIPE: RecordKind(side_tables.apply_recipe, side_tables.recipe_records),
}


WHAT = "edits"
_MARK = "journal"


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Result of replaying user.jsonl: applied records, unreadable lines, and whether the file was
    known.
    """

    applied: int
    unreadable: int
    continued: bool

    def notes(self, torn: bool) -> list[Note]:
        """Notes for the user; a `torn` last line is reported separately."""
        said = []
        unreadable = self.unreadable - torn
        if not self.continued:
            text = (
                "user.jsonl was not the file that this catalogue knew: edits of both are kept, the"
                " catalogue's where they differ."
            )
            said.append(Note("user_journal_replaced", text))
        elif self.applied:
            text = (
                "1 edit of yours was"
                if self.applied == 1
                else f"{self.applied} edits of yours were"
            )
            said.append(Note("edits_replayed", f"{text} taken back from user.jsonl."))
        if unreadable > 0:
            text = "1 line" if unreadable == 1 else f"{unreadable} lines"
            text += (
                " of user.jsonl could not be read; nothing was taken from there, and nothing"
                " removed."
            )
            said.append(Note("user_journal_unreadable", text))
        return said


def edits_at(connection: sqlite3.Connection, first: str) -> Edits | None:
    row = connection.execute("SELECT edits FROM edits WHERE key = ?", (first,)).fetchone()
    return None if row is None else codec.edits_of(codec.load(row[0]))


def edit_record(
    connection: sqlite3.Connection, first: str, edits: Edits, parted: Sequence[str] = ()
) -> dict[str, Any]:
    """Record with all names of the adapter, so that edits find it in any catalogue.

    `parted` are names that turned out to belong to another adapter.
    """
    others = [from_column(name) for name in aliases.names(connection, first)]
    said: dict[str, Any] = {
        "key": from_column(first),
        "equivalents": others,
        "edits": codec.edits_plain(edits),
    }
    return {**said, "parted": [from_column(name) for name in parted]} if parted else said


def keep(batch: Batch, journal: UserJournal, card: AdapterCard) -> None:
    """Store a card and merge the edits that waited under its names; none is lost."""
    held = _waiting(batch.connection, names_of(card))
    before = (
        set(aliases.names(batch.connection, aliases.owner(batch.connection, names_of(card))))
        if held
        else set()
    )
    first = keep_card(batch.connection, card)
    # user.jsonl shall find the adapter by every name that it has, or the words would be lost with
    # the one that they were said of.
    if len(held) > 1 or (held and not before.issuperset(aliases.names(batch.connection, first))):
        record(batch, journal, [edit_record(batch.connection, first, reduce(Edits.filled, held))])


def _waiting(connection: sqlite3.Connection, names: Sequence[str]) -> list[Edits]:
    """Edits under these names, except those of other existing entries."""
    first = aliases.owner(connection, names)
    owners = dict.fromkeys([first, *(aliases.owner(connection, [name]) for name in names)])
    held = (
        edits_at(connection, key)
        for key in owners
        if key == first or not aliases.is_entry(connection, key)
    )
    return [edits for edits in held if edits is not None]


def record(batch: Batch, journal: UserJournal, records: Sequence[Mapping[str, Any]]) -> None:
    """Append records to user.jsonl, then apply them, with those of other processes."""
    journal.append(WHAT, records)
    catch_up(batch, journal)


def remark(
    changing: Callable[[], AbstractContextManager[Batch]],
    journal: UserJournal,
    what: str,
    said: Mapping[str, Any],
) -> None:
    """Append and apply a record that is not an edit."""
    with changing() as batch:
        journal.append(what, [said])
        catch_up(batch, journal)


def is_behind(connection: sqlite3.Connection, journal: UserJournal) -> bool:
    mark = read_meta(connection, _MARK)
    reading = journal.since(mark)
    return not reading.continued or (
        reading.mark != mark and bool(reading.records or reading.unreadable)
    )


def catch_up(batch: Batch, journal: UserJournal) -> CaughtUp:
    reading = journal.since(read_meta(batch.connection, _MARK))
    continued = reading.continued
    if not continued:
        journal.append(WHAT, _all_records(batch.connection))
        for what, kind in RECORD_KINDS.items():
            journal.append(what, kind.take_all(batch.connection))
        reading = journal.since("")
    caught = _apply_all(batch, reading, continued)
    write_meta(batch.connection, _MARK, reading.mark)
    return caught


def _all_records(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = connection.execute("SELECT key, edits FROM edits ORDER BY key").fetchall()
    return [edit_record(connection, key, codec.edits_of(codec.load(text))) for key, text in rows]


def _apply_all(batch: Batch, reading: JournalReading, continued: bool) -> CaughtUp:
    applied, unreadable = 0, reading.unreadable
    for said in reading.records:
        try:
            applied += _take(batch, said)
        except InvalidInput:
            unreadable += 1
    return CaughtUp(applied, unreadable, continued)


def _take(batch: Batch, said: Mapping[str, Any]) -> bool:
    """Apply a record; False if this version does not know its kind."""
    if said["what"] == WHAT:
        _apply(batch, said)
    elif said["what"] in RECORD_KINDS:
        RECORD_KINDS[said["what"]].apply(batch.connection, said)
    else:
        return False
    return True


def _apply(batch: Batch, said: Mapping[str, Any]) -> None:
    connection = batch.connection
    parted = _columns(said.get("parted"))
    keys = [*_columns([said.get("key")]), *_columns(said.get("equivalents"))]
    edits = codec.edits_of(said.get("edits"))
    if not keys:
        raise InvalidInput("An edit without a key says nothing about any adapter.")
    # Where there is no entry yet, the record's own key is the first: whatever was said before is
    # older.
    firsts = aliases.firsts(connection, (key for key in keys if key not in parted))
    first = next((firsts[key] for key in keys if key in firsts), keys[0])
    put_edits(connection, first, edits)
    aliases.adopt(connection, first, keys)
    if parted:
        vouched = names_stated(connection, first)
        aliases.forget(connection, first, [name for name in parted if name not in vouched])
    refresh(batch, [first])


def _columns(names: Any) -> list[str]:
    return (
        [to_column(str(AdapterKey.parse(name))) for name in names if isinstance(name, str)]
        if isinstance(names, list)
        else []
    )


def put_edits(connection: sqlite3.Connection, first: str, edits: Edits) -> None:
    text = codec.dump(codec.edits_plain(edits))
    connection.execute("INSERT OR REPLACE INTO edits (key, edits) VALUES (?, ?)", (first, text))
