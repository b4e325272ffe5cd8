"""Refreshes the catalogue: card -> description -> entry. Only changes are processed; a stop loses
nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from stylus_ext.catalogue.embed import EmbedCatalogue
from stylus_ext.catalogue.refine.captions import kept_description
from stylus_ext.catalogue.replaced import ReplacedFiles
from stylus_ext.core.card import (
    AdapterCard,
    AdapterKey,
    Digests,
    LocalFile,
    group_cards,
    keys_of,
    local_card,
    merge_cards,
    present_cards,
    with_key,
)
from stylus_ext.core.entry import VIEWS, Entry, embedded_text, preferred
from stylus_ext.core.errors import Note
from stylus_ext.core.family import family_of
from stylus_ext.core.ports import CardSource, Progress, Refiner, Sighting, Store
from stylus_ext.core.sources import Memory

logger = logging.getLogger(__name__)


_BATCH = 256
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Counts of a refresh; `added` are files that were not known before."""

    written: int = 0
    added: int = 0
    gone: int = 0
    united: int = 0
    vectors: int = 0
    notes: tuple[Note, ...] = ()

    def __add__(self, other: Refreshed) -> Refreshed:
        return Refreshed(
            self.written + other.written,
            self.added + other.added,
            self.gone + other.gone,
            self.united + other.united,
            self.vectors + other.vectors,
            (*self.notes, *other.notes),
        )


class RefreshCatalogue:
    """Imports sightings from any card source."""

    def __init__(self, store: Store, refiner: Refiner) -> None:
        self._store = store
        self._refiner = refiner
        self._replaced = ReplacedFiles(store, lambda card, files: self.entry(card, None, files))

    def __call__(self, source: CardSource, progress: Progress) -> Refreshed:
        known = self._store.files()
        notes: list[Note] = []
        written = united = 0
        for batch in batches(source.cards(known, progress)):
            notes += [sighting.note for sighting in batch if sighting.note is not None]
            done, joined = self.take([sighting for sighting in batch if sighting.card is not None])
            written, united = written + done, united + joined
            progress.report(f"reading {source.name}", written)
        now = self._store.files()
        gone = source.gone(now)
        self.forget(gone)
        logger.info("%s: %d cards written, %d notes", source.name, written, len(notes))
        added = len(now.keys() - known.keys())
        return Refreshed(written, added, len(gone), united, notes=tuple(notes))

    def take(self, sightings: Sequence[Sighting]) -> tuple[int, int]:
        """Store cards and their files; returns the counts of cards and of merged entries."""
        sightings = self._replaced.split(sightings)
        cards = [sighting.card for sighting in sightings if sighting.card is not None]
        united = self._unite(cards)
        owners = self._store.owners() if any(sighting.file for sighting in sightings) else {}
        homes = self._store.keep(cards)
        files: dict[AdapterKey, list[LocalFile]] = {}
        for sighting in sightings:
            if sighting.card is not None and sighting.file is not None:
                files.setdefault(homes[sighting.card.key], []).append(sighting.file)
        self._renew(set(homes.values()), files)
        moved = [
            file.path
            for home, found in files.items()
            for file in found
            if owners.get(file.path, home) != home
        ]
        self._drop({owners[path] for path in moved}, frozenset(moved))
        return len(cards), united

    def renew(self, keys: Iterable[AdapterKey]) -> None:
        """Rebuild entries from stored cards, after a kill between the two steps."""
        self._renew(set(self._store.stated(keys)), {})

    def forget(self, paths: Sequence[str]) -> None:
        """Remove deleted files, and entries that only such files described."""
        owners = self._store.owners()
        self._drop({owners[path] for path in paths if path in owners}, frozenset(paths))

    def _drop(self, keys: Collection[AdapterKey], paths: frozenset[str]) -> None:
        if not keys:
            return
        entries = self._store.read(keys)
        stated = self._store.stated(entries)
        left = {
            key: tuple(file for file in entry.files if file.path not in paths)
            for key, entry in entries.items()
        }
        orphans = [
            key
            for key, files in left.items()
            if not files and all(card.source == "local" for card in stated.get(key, ()))
        ]
        self._store.remove(orphans)
        others = [
            replace(entry, files=left[key]) for key, entry in entries.items() if key not in orphans
        ]
        self._store.write(others)
        self._renew({entry.key for entry in others}, {})

    def _renew(
        self, keys: Iterable[AdapterKey], files: Mapping[AdapterKey, Sequence[LocalFile]]
    ) -> None:
        """Rebuild entries from the sources' cards; `files` are added to the known ones."""
        stated = self._store.stated(keys)
        before = self._store.read(stated)
        entries = []
        for key, cards in stated.items():
            if not cards:
                continue
            old = before.get(key)
            found = {file.path: file for file in (*(old.files if old else ()), *files.get(key, ()))}
            card = with_key(key, merge_cards(present_cards(cards, found.values())))
            entries.append(self.entry(card, old, tuple(found.values())))
        self._store.write(entries)

    def entry(
        self, card: AdapterCard, old: Entry | None = None, files: tuple[LocalFile, ...] = ()
    ) -> Entry:
        """Build the entry of a card."""
        description = self._refiner.refine(card)
        family = family_of(card.base_model)
        if old is None:
            return Entry(card=card, description=description, family=family, files=files)
        return replace(
            old,
            card=card,
            description=kept_description(description, old.description, card),
            family=family,
            files=files,
        )

    def _unite(self, cards: Sequence[AdapterCard]) -> int:
        """Merge all entries that share a name with these cards; returns how many disappeared."""
        known = self._store.resolve({name for card in cards for name in keys_of(card)})
        united = 0
        for group in group_cards(cards):
            firsts = list(
                dict.fromkeys(
                    known[name] for card in group for name in keys_of(card) if name in known
                )
            )
            for other in firsts[1:]:
                self._unite_two(firsts[0], other)
                united += 1
        return united

    def _unite_two(self, first: AdapterKey, other: AdapterKey) -> None:
        """Merge two entries, keeping the better description."""
        before = self._store.read([first, other])
        self._store.unite(first, other)
        if first in before and other in before:
            best = preferred(before[first].description, before[other].description)
            if best != before[first].description:
                self._store.write(
                    [
                        replace(entry, description=best)
                        for entry in self._store.read([first]).values()
                    ]
                )


def batches(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def embedded_texts(entries: Iterable[Entry]) -> dict[AdapterKey, tuple[str, ...]]:
    """The family and the texts that the vectors of each entry are made from."""
    return {
        entry.key: (entry.family, *(embedded_text(entry, view) for view in VIEWS))
        for entry in entries
    }


class HashFiles:
    """Hashes files one by one; a stop loses at most one file.

    `changing` is held only while a hash is stored, not while files are read.
    """

    def __init__(
        self,
        store: Store,
        refresh: RefreshCatalogue,
        digest: Callable[[LocalFile, Progress], Digests | None],
        changing: AbstractContextManager[object],
    ) -> None:
        self._store = store
        self._refresh = refresh
        self._digest = digest
        self._changing = changing

    def __call__(self, progress: Progress) -> int:
        waiting = [file for file in self._store.files().values() if file.sha256 is None]
        owners = self._store.owners()
        hashed = 0
        for number, file in enumerate(waiting):
            progress.report("hashing", number, len(waiting))
            digests = self._digest(file, progress)
            if digests is not None:
                with self._changing:
                    hashed += self._learn(owners[file.path], file, digests)
        progress.report("hashing", len(waiting), len(waiting))
        return hashed

    def store_hash(self, path: str, sha256: str) -> bool:
        """Store a hash computed elsewhere; returns whether it was new."""
        with self._changing:
            file = self._store.files().get(path)
            if file is None or file.sha256 is not None:
                return False
            return self._learn(self._store.owners()[path], file, Digests(sha256.lower(), ""))

    def _learn(self, owner: AdapterKey, file: LocalFile, digests: Digests) -> bool:
        """Add the hash as a name of the entry, merging entries that share it.

        Files that changed while being read are hashed again later.
        """
        entry = self._store.read([owner]).get(owner)
        card = (
            local_card(self._store.stated([owner]).get(entry.key, ()), file.path)
            if entry and file in entry.files
            else None
        )
        if card is None:
            return False
        self._refresh.take(
            [Sighting(card=_hashed(card, digests), file=replace(file, sha256=digests.sha256))]
        )
        return True


def _hashed(card: AdapterCard, digests: Digests) -> AdapterCard:
    """Return the card with computed hashes; of AutoV3 the header's value stays first, as in the
    host.
    """
    name = AdapterKey.sha256(digests.sha256)
    others = [key for key in keys_of(card) if key.scheme != "sha256"]
    first, *rest = [*others, name]
    return replace(
        card, key=first, equivalents=tuple(sorted([*rest])), auto_v3=card.auto_v3 or digests.auto_v3
    )


_TAKING = "taking"


@dataclass(frozen=True, slots=True)
class Ingest:
    """Imports a page of cards; `changing` is held during changes, never during network waits."""

    store: Store
    refresh: RefreshCatalogue
    embed: EmbedCatalogue
    changing: AbstractContextManager[object]
    memory: Memory

    def take(self, cards: Sequence[AdapterCard]) -> int:
        """Import cards and embed changed texts; returns their number. Call while holding
        `changing`.
        """
        keys = [card.key for card in cards]
        before = embedded_texts(self.store.read(keys).values())
        self.memory.remember(_TAKING, json.dumps(list(map(str, keys))))
        self.refresh.take([Sighting(card=card) for card in cards])
        self.memory.remember(_TAKING, "")
        after = embedded_texts(self.store.read(keys).values())
        changed = [key for key, texts in after.items() if before.get(key) != texts]
        self.embed.embed_now(changed)
        return len(VIEWS) * len(changed)

    def withdraw(self, keys: Sequence[AdapterKey]) -> int:
        """Remove entries no longer offered, except those with local files. Call while holding
        `changing`.
        """
        found = self.store.read(self.store.resolve(keys).values())
        gone = [key for key, entry in found.items() if not entry.files]
        self.store.remove(gone)
        return len(gone)

    def finish_interrupted(self) -> None:
        """Build entries for cards stored before a kill."""
        left = self.memory.remembered(_TAKING)
        if left:
            with self.changing:
                self.refresh.renew(map(AdapterKey.parse, json.loads(left)))
                self.memory.remember(_TAKING, "")
