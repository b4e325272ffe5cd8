"""The store: catalogue.sqlite, and user.jsonl from which user edits survive it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from heapq import merge
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.store import edits as user_edits
from stylus_ext.catalogue.store import entries as rows
from stylus_ext.catalogue.store import search
from stylus_ext.catalogue.store.captions import CaptionTable
from stylus_ext.catalogue.store.codec import from_column, to_column
from stylus_ext.catalogue.store.database import read_meta, write_meta
from stylus_ext.catalogue.store.entries import Batch, EntryCache
from stylus_ext.catalogue.store.opening import Opening, open_catalogue
from stylus_ext.catalogue.store.probes import ProbeTable
from stylus_ext.catalogue.store.search import CatalogueStats
from stylus_ext.catalogue.store.side_tables import FeedbackTable, MemoryTable, RecipeTable
from stylus_ext.catalogue.store.uses import UseTable
from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile
from stylus_ext.core.entry import Edits, Entry, View
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.ports import Change, Filter, Order, Page


def _column(key: AdapterKey) -> str:
    return to_column(str(key))


class SqliteStore:
    """Implements `Store`; thread-safe. `notes` say what opening had to repair."""

    def __init__(
        self,
        folder: Path,
        *,
        wait_s: float = 10,
        holder: Callable[[], str] | None = None,
        vfs: str = "",
    ) -> None:
        """Wait `wait_s` for a lock; `holder` describes its owner; `vfs` selects SQLite's file
        system.
        """
        self._database, notes = open_catalogue(Opening(folder, wait_s, holder, vfs))
        self._journal = user_edits.UserJournal(folder)
        self._recent = EntryCache()
        self.memory = MemoryTable(self._database)
        self.tallies = CatalogueStats(self._database)
        self.verdicts = FeedbackTable(self._database, self._append_record)
        self.recipes = RecipeTable(self._database, self._append_record)
        self.captions = CaptionTable(self._database)
        self.uses = UseTable(self._database, self._changing)
        self.probes = ProbeTable(self._changing)
        try:
            if not self._database.read_only:
                notes += self._replay()
            with self._database.reading() as connection:
                self._identity = read_meta(connection, "identity")
        except BaseException:
            self._database.abandon()
            raise
        self.notes: tuple[Note, ...] = tuple(notes)

    def close(self) -> None:
        self._database.close()

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def revision(self) -> int:
        with self._database.reading() as connection:
            return _revision(connection)

    @contextmanager
    def _changing(self) -> Iterator[Batch]:
        with self._database.writing() as connection:
            batch = Batch(connection, _revision(connection))
            yield batch
            write_meta(connection, "revision", str(batch.revision))

    def _append_record(self, what: str, record: Mapping[str, Any]) -> None:
        """Append a record that is not an edit to user.jsonl, and apply it."""
        with self._changing() as batch:
            self._journal.append(what, [record])
            user_edits.replay(batch, self._journal)

    def _replay(self) -> list[Note]:
        """Apply what user.jsonl has beyond the catalogue; everything if the catalogue is new."""
        with self._database.reading() as connection:
            if not user_edits.is_behind(connection, self._journal):
                return []
        with self._changing() as batch:
            torn = self._journal.repair()
            caught = user_edits.replay(batch, self._journal)
        message = (
            "The last line of user.jsonl was unfinished and is skipped; all before it is in place."
        )
        return [*([Note("user_journal_repaired", message)] if torn else []), *caught.notes(torn)]

    def write(self, entries: Iterable[Entry]) -> None:
        """Write entries; one whose key became an alias is written under the first key."""
        written = list(entries)
        with self._changing() as batch:
            records = [
                record for entry in written if (record := _write_one(batch, entry)) is not None
            ]
            if records:
                user_edits.record_edits(batch, self._journal, records)

    def read(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, Entry]:
        columns = {key: _column(key) for key in keys}
        with self._database.snapshot() as connection:
            found = self._recent.entries_at(connection, columns.values())
            firsts = _firsts(
                connection, (key for key, column in columns.items() if column not in found)
            )
            found.update(self._recent.entries_at(connection, firsts.values()))
        columns.update(firsts)
        return {key: found[column] for key, column in columns.items() if column in found}

    def keep(self, cards: Iterable[AdapterCard]) -> dict[AdapterKey, AdapterKey]:
        kept = list(cards)
        with self._changing() as batch:
            for card in kept:
                user_edits.keep_with_edits(batch, self._journal, card)
            with rows.decoding():
                return {
                    card.key: rows.key_of(rows.owner(batch.connection, [_column(card.key)]))
                    for card in kept
                }

    def stated(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, tuple[AdapterCard, ...]]:
        columns = list(map(_column, keys))
        with self._database.snapshot() as connection:
            owners = [rows.owner(connection, [column]) for column in columns]
            return {
                rows.key_of(first): cards
                for first, cards in user_edits.stated_cards(connection, owners).items()
            }

    def resolve(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, AdapterKey]:
        columns = list(keys)
        with self._database.snapshot() as connection:
            firsts = _firsts(connection, columns)
            with rows.decoding():
                return {key: rows.key_of(first) for key, first in firsts.items()}

    def unite(self, first: AdapterKey, other: AdapterKey) -> None:
        with self._changing() as batch:
            firsts = _firsts(batch.connection, [first, other])
            if first not in firsts:
                raise InvalidInput(
                    f"{first} is not in the catalogue, so nothing can be united with it."
                )
            stays, goes = firsts[first], firsts.get(other, _column(other))
            if stays != goes:
                self._unite(batch, stays, goes)

    def _unite(self, batch: Batch, stays: str, goes: str) -> None:
        connection = batch.connection
        goes = rows.owner(connection, [goes])
        mine, had = user_edits.edits_at(connection, stays), user_edits.edits_at(connection, goes)
        connection.execute("UPDATE files SET key = ? WHERE key = ?", (stays, goes))
        rows.move_rows(connection, goes, stays)
        if rows.is_entry(connection, goes):
            rows.drop(batch, goes)
        if mine is not None or had is not None:
            # user.jsonl speaks of the other key, or knows the first by fewer names; last there must
            # be what counts from now on.
            kept = (mine or Edits()).filled(had or Edits())
            user_edits.record_edits(
                batch, self._journal, [user_edits.edit_record(connection, stays, kept)]
            )
        rows.refresh(batch, [stays])

    def part(self, key: AdapterKey, cards: Iterable[AdapterCard], entries: Iterable[Entry]) -> None:
        kept, written = list(cards), list(entries)
        with self._changing() as batch:
            connection = batch.connection
            first = rows.owner(connection, [_column(key)])
            staying = {
                _column(name)
                for entry in written
                if _column(entry.key) == first
                for name in entry.card.equivalents
            }
            gone = [name for name in rows.other_keys(connection, first) if name not in staying]
            if (decision := user_edits.edits_at(connection, first)) is not None:
                # Else user.jsonl would give the edits these names again.
                user_edits.record_edits(
                    batch,
                    self._journal,
                    [user_edits.edit_record(connection, first, decision, gone)],
                )
            if rows.is_entry(connection, first):
                rows.drop(batch, first)
            rows.forget_keys(connection, first, rows.other_keys(connection, first))
            for card in kept:
                user_edits.keep_card(connection, card)
            for entry in written:
                _write_one(batch, entry)

    def text_fingerprints(self, view: View) -> dict[AdapterKey, tuple[str, str]]:
        with self._database.reading() as connection:
            held = connection.execute(f"SELECT key, family, {view}_print FROM entries").fetchall()  # noqa: S608
            with rows.decoding():
                return {
                    rows.key_of(key): (from_column(family), print_) for key, family, print_ in held
                }

    def changes(self, since: int) -> Iterator[Change]:
        """Read pages up to the current revision; later changes come after the last yielded one."""
        upto = self.revision
        with self._database.reading() as connection:
            gone = rows.gone_after(connection, since, upto)
        return merge(
            (Change(entry.key, revision, entry) for revision, entry in self._pages(since, upto)),
            (Change(key, revision, None) for revision, key in gone),
            key=lambda change: change.revision,
        )

    def _pages(self, since: int, upto: int) -> Iterator[tuple[int, Entry]]:
        while since < upto:
            with self._database.snapshot() as connection:
                page = rows.page_after(connection, since, upto)
            if not page:
                return
            yield from page
            since = page[-1][0]

    def remove(self, keys: Iterable[AdapterKey]) -> None:
        """Delete entries; edits and names stay for when the adapter returns."""
        columns = list(keys)
        with self._changing() as batch:
            for first in dict.fromkeys(_firsts(batch.connection, columns).values()):
                rows.drop(batch, first)
                if user_edits.edits_at(batch.connection, first) is None:
                    rows.forget_keys(
                        batch.connection, first, rows.other_keys(batch.connection, first)
                    )

    def search(
        self, text: str, keep: Filter, offset: int = 0, limit: int = 50, order: Order = "name"
    ) -> Page:
        with self._database.snapshot() as connection:
            keys, total = search.find(connection, text, keep, max(0, offset), max(0, limit), order)
            found = rows.entries_at(connection, keys)
            with rows.decoding():
                return Page(tuple([found[key] for key in keys]), total)

    def edit(self, key: AdapterKey, edits: Edits) -> Entry:
        with self._changing() as batch:
            first = _firsts(batch.connection, [key]).get(key)
            if first is None:
                raise InvalidInput(f"{key} is not in the catalogue, so it cannot be edited.")
            user_edits.record_edits(
                batch, self._journal, [user_edits.edit_record(batch.connection, first, edits)]
            )
            return rows.entries_at(batch.connection, [first])[first]

    def edit_all(self, edits: Mapping[AdapterKey, Edits]) -> None:
        if not edits:
            return
        with self._changing() as batch:
            firsts = _firsts(batch.connection, edits)
            records = [
                user_edits.edit_record(batch.connection, first, edits[key])
                for key, first in firsts.items()
            ]
            user_edits.record_edits(batch, self._journal, records)

    def files(self) -> dict[str, LocalFile]:
        with self._database.reading() as connection:
            held = connection.execute(
                "SELECT path, stem, size, mtime_ns, sha256, formats FROM files ORDER BY path"
            ).fetchall()
            with rows.decoding():
                return {file.path: file for file in (rows.file_of(*values) for values in held)}

    def owners(self) -> dict[str, AdapterKey]:
        with self._database.reading() as connection:
            held = connection.execute("SELECT path, key FROM files ORDER BY path").fetchall()
            with rows.decoding():
                return {from_column(path): rows.key_of(column) for path, column in held}

    def other_types(self) -> dict[AdapterKey, str]:
        with self._database.reading() as connection:
            held = connection.execute("SELECT key, type FROM entries WHERE type <> 'lora'")
            with rows.decoding():
                return {rows.key_of(column): name for column, name in held}


def _revision(connection: sqlite3.Connection) -> int:
    with rows.decoding():
        return int(read_meta(connection, "revision"))


def _firsts(connection: sqlite3.Connection, keys: Iterable[AdapterKey]) -> dict[AdapterKey, str]:
    columns = {key: _column(key) for key in keys}
    found = rows.first_keys(connection, columns.values())
    return {key: found[column] for key, column in columns.items() if column in found}


def _write_one(batch: Batch, entry: Entry) -> dict[str, Any] | None:
    """Write an entry; returns the record of its first edits, if any."""
    connection, key = batch.connection, _column(entry.key)
    first = rows.first_keys(connection, [key]).get(key, key)
    entry = rows.with_key(entry, entry.key if first == key else rows.key_of(first))
    rows.adopt_keys(connection, first, map(_column, entry.card.equivalents))
    known = user_edits.edits_at(connection, first)
    rows.put(batch, entry.edited(known or Edits()))
    if known is not None or entry.edits == Edits():
        return None
    return user_edits.edit_record(connection, first, entry.edits)
