"""What the user decided, as table rows and as records of user.jsonl. In: edits, or the journal.
Out: the newest word for each key.
"""

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
    """As it is, under the first key of its names, which from now on lead there with all that waited
    under them.
    """
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
    """Every name that what is kept under a first key vouches for."""
    return {name for card in stated(connection, [first]).get(first, ()) for name in names_of(card)}


def names_of(card: AdapterCard) -> list[str]:
    return [to_column(str(key)) for key in (card.key, *card.equivalents)]


def _about(card: AdapterCard) -> str:
    """One source may speak of several files, or listed versions, that are one adapter; the user's
    pictures speak once.
    """
    if card.source == "pictures":
        return ""
    names = names_of(card)
    return next((name for name in names if name.startswith("path:")), names[0])


@dataclass(frozen=True, slots=True)
class RecordKind:
    """`apply` takes one record into the tables; `take_all` empties them into records."""

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
    """How many records of user.jsonl were applied, how many lines could not be, and whether the
    file was the one known.
    """

    applied: int
    unreadable: int
    continued: bool

    def notes(self, torn: bool) -> list[Note]:
        """`torn`: one of the unreadable lines is the unfinished last one, of which the user hears
        apart.
        """
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
    """With every name of the adapter, so that the edits find it again in a catalogue that knows it
    by another; `parted` are those that turned out to be something else's.
    """
    others = [from_column(name) for name in aliases.names(connection, first)]
    said: dict[str, Any] = {
        "key": from_column(first),
        "equivalents": others,
        "edits": codec.edits_plain(edits),
    }
    return {**said, "parted": [from_column(name) for name in parted]} if parted else said


def keep(batch: Batch, journal: UserJournal, card: AdapterCard) -> None:
    """A card may tell that edits which waited under several names are of one adapter, or of which
    more: none of them is lost.
    """
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
    """What was decided under these names, where the adapter stands first; not of others that have
    an entry of their own.
    """
    first = aliases.owner(connection, names)
    owners = dict.fromkeys([first, *(aliases.owner(connection, [name]) for name in names)])
    held = (
        edits_at(connection, key)
        for key in owners
        if key == first or not aliases.is_entry(connection, key)
    )
    return [edits for edits in held if edits is not None]


def record(batch: Batch, journal: UserJournal, records: Sequence[Mapping[str, Any]]) -> None:
    """To user.jsonl first, and from there into the catalogue, together with what another process
    left there.
    """
    journal.append(WHAT, records)
    catch_up(batch, journal)


def remark(
    changing: Callable[[], AbstractContextManager[Batch]],
    journal: UserJournal,
    what: str,
    said: Mapping[str, Any],
) -> None:
    """The same for what is no edit."""
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
    """Whether this version knows what is said there."""
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
