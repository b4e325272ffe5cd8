"""Refresh the catalogue: card -> description -> entry -> vector. Only what changed is worked on; a stop loses nothing finished."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile, merged
from stylus_ext.core.description import Entry
from stylus_ext.core.errors import Note
from stylus_ext.core.family import family_of
from stylus_ext.core.ports import CardSource, Progress, Refiner, Sighting, Store

logger = logging.getLogger(__name__)

_BATCH = 256
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did."""

    written: int = 0
    gone: int = 0
    united: int = 0
    vectors: int = 0
    notes: tuple[Note, ...] = ()


class RefreshCatalogue:
    """The use case for any source of cards."""

    def __init__(self, store: Store, refiner: Refiner) -> None:
        self._store = store
        self._refiner = refiner

    def __call__(self, source: CardSource, progress: Progress) -> Refreshed:
        known = self._store.files()
        notes: list[Note] = []
        written = united = 0
        for batch in _batches(source.cards(known, progress), _BATCH):
            notes += [sighting.note for sighting in batch if sighting.note is not None]
            done, joined = self.take([sighting for sighting in batch if sighting.card is not None])
            written, united = written + done, united + joined
            progress.report(f"reading {source.name}", written)
        gone = source.gone(self._store.files())
        self.forget(gone)
        logger.info("%s: %d cards written, %d notes", source.name, written, len(notes))
        return Refreshed(written=written, gone=len(gone), united=united, notes=tuple(notes))

    def take(self, sightings: Sequence[Sighting]) -> tuple[int, int]:
        """Puts cards, and the files they were read from, into the catalogue; says how many, and how many entries became one."""
        cards = [sighting.card for sighting in sightings if sighting.card is not None]
        owners = self._store.owners() if any(sighting.file for sighting in sightings) else {}
        homes, united = self._homes(cards)
        kept = [_moved(card, homes[card.key]) for card in cards]
        self._store.keep(kept)
        files: dict[AdapterKey, list[LocalFile]] = {}
        for sighting in sightings:
            if sighting.card is not None and sighting.file is not None:
                files.setdefault(homes[sighting.card.key], []).append(sighting.file)
        self._renew({card.key for card in kept}, files)
        moved = [file.path for home, found in files.items() for file in found if owners.get(file.path, home) != home]
        self._drop({owners[path] for path in moved}, frozenset(moved))
        return len(kept), united

    def forget(self, paths: Sequence[str]) -> None:
        """These files are not there any more; an entry that nothing but such a file spoke of goes with it."""
        owners = self._store.owners()
        self._drop({owners[path] for path in paths if path in owners}, frozenset(paths))

    def _drop(self, keys: Iterable[AdapterKey], paths: frozenset[str]) -> None:
        entries = self._store.read(keys)
        stated = self._store.stated(entries)
        left = {key: tuple(file for file in entry.files if file.path not in paths) for key, entry in entries.items()}
        orphans = [key for key, files in left.items() if not files and all(card.source == "local" for card in stated.get(key, ()))]
        self._store.remove(orphans)
        self._store.write(replace(entry, files=left[key]) for key, entry in entries.items() if key not in orphans)

    def _renew(self, keys: Iterable[AdapterKey], files: Mapping[AdapterKey, Sequence[LocalFile]]) -> None:
        """Writes entries anew from what the sources state; `files` come beside those that are known."""
        stated = self._store.stated(keys)
        before = self._store.read(stated)
        entries = []
        for key, cards in stated.items():
            if not cards:
                continue
            old = before.get(key)
            found = {file.path: file for file in (*(old.files if old else ()), *files.get(key, ()))}
            entries.append(self.entry(merged(cards), old, tuple(found.values())))
        self._store.write(entries)

    def entry(self, card: AdapterCard, old: Entry | None = None, files: tuple[LocalFile, ...] = ()) -> Entry:
        """The entry that a card makes."""
        description = self._refiner.refine(card)
        family = family_of(card.base_model)
        if old is None:
            return Entry(card=card, description=description, family=family, files=files)
        return replace(old, card=card, description=description, family=family, files=files)

    def _homes(self, cards: Sequence[AdapterCard]) -> tuple[dict[AdapterKey, AdapterKey], int]:
        """The first key of each card: the one under which the catalogue, or this very batch, knows it by any of its keys."""
        known = self._store.resolve({key for card in cards for key in (card.key, *card.equivalents)})
        homes: dict[AdapterKey, AdapterKey] = {}
        united = 0
        for card in cards:
            names = (card.key, *card.equivalents)
            firsts = list(dict.fromkeys(known[name] for name in names if name in known))
            home = firsts[0] if firsts else card.key
            for other in firsts[1:]:
                self._store.unite(home, other)
                known.update({name: home for name, first in known.items() if first == other})
                united += 1
            known.update(dict.fromkeys(names, home))
            homes[card.key] = home
        return homes, united


def _moved(card: AdapterCard, home: AdapterKey) -> AdapterCard:
    """The card under its first key; the key it came with becomes an equivalent."""
    if card.key == home:
        return card
    return replace(card, key=home, equivalents=tuple(sorted({card.key, *card.equivalents} - {home})))


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
