"""Refresh the catalogue: card -> description -> entry -> vector. Only what changed is worked on; a
stop loses nothing finished.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from stylus_ext.app.replaced_files import ReplacedFiles
from stylus_ext.app.voices import groups, names, speaking, under
from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile, merged
from stylus_ext.core.description import Entry, preferred
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
        self._replaced = ReplacedFiles(store, lambda card, files: self.entry(card, None, files))

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
        """Puts cards, and the files they were read from, into the catalogue; says how many, and how
        many entries became one.
        """
        sightings = self._replaced.settle(sightings)
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
        """Makes entries anew of what is kept about them: after a kill between the keeping and the
        making.
        """
        self._renew(set(self._store.stated(keys)), {})

    def forget(self, paths: Sequence[str]) -> None:
        """These files are not there any more; an entry that nothing but such a file spoke of goes
        with it.
        """
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
        """Writes entries anew from what the sources state; `files` come beside those that are
        known.
        """
        stated = self._store.stated(keys)
        before = self._store.read(stated)
        entries = []
        for key, cards in stated.items():
            if not cards:
                continue
            old = before.get(key)
            found = {file.path: file for file in (*(old.files if old else ()), *files.get(key, ()))}
            card = under(key, merged(speaking(cards, found.values())))
            entries.append(self.entry(card, old, tuple(found.values())))
        self._store.write(entries)

    def entry(
        self, card: AdapterCard, old: Entry | None = None, files: tuple[LocalFile, ...] = ()
    ) -> Entry:
        """The entry that a card makes."""
        description = self._refiner.refine(card)
        family = family_of(card.base_model)
        if old is None:
            return Entry(card=card, description=description, family=family, files=files)
        return replace(
            old,
            card=card,
            description=preferred(description, old.description),
            family=family,
            files=files,
        )

    def _unite(self, cards: Sequence[AdapterCard]) -> int:
        """Cards that speak of one adapter make one of all the entries that have any of its names;
        says how many went.
        """
        known = self._store.resolve({name for card in cards for name in names(card)})
        united = 0
        for group in groups(cards):
            firsts = list(
                dict.fromkeys(
                    known[name] for card in group for name in names(card) if name in known
                )
            )
            for other in firsts[1:]:
                self._unite_two(firsts[0], other)
                united += 1
        return united

    def _unite_two(self, first: AdapterKey, other: AdapterKey) -> None:
        """The better description of the two stays."""
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


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
