"""Detects files whose content was replaced and separates them from their old entries.

Other sources' cards of the old content get keys of their own; edits stay with the first key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.card import (
    AdapterCard,
    AdapterKey,
    LocalFile,
    group_cards,
    keys_of,
    local_card,
    matches_path,
    merge_cards,
    path_key,
    present_cards,
    with_key,
)
from stylus_ext.core.entry import Entry
from stylus_ext.core.ports import Sighting, Store

logger = logging.getLogger(__name__)


_RANK = ("civitai", "sha256", "path")


@dataclass(frozen=True, slots=True)
class _KnownFile:
    """The entry, card and row stored for a sighted file."""

    home: AdapterKey
    card: AdapterCard | None
    file: LocalFile | None


@dataclass(frozen=True, slots=True)
class _Gone:
    """A replaced file: its old and new state."""

    before: _KnownFile
    card: AdapterCard
    file: LocalFile


class ReplacedFiles:
    """Splits entries of replaced files; `entry` builds an entry from a card and its files."""

    def __init__(
        self, store: Store, entry: Callable[[AdapterCard, tuple[LocalFile, ...]], Entry]
    ) -> None:
        self._store = store
        self._entry = entry

    def split(self, sightings: Sequence[Sighting]) -> list[Sighting]:
        """Split the entries of replaced files.

        If that is undecided, the new card keeps the old hash until a computed one confirms or
        contradicts it.
        """
        settled = list(sightings)
        known = self._known(settled)
        leaving: dict[AdapterKey, list[_Gone]] = {}
        for place, (sighting, before) in enumerate(zip(sightings, known, strict=True)):
            if before is None or sighting.card is None or sighting.file is None:
                continue
            other = _is_other(before, sighting.card, sighting.file)
            if other:
                leaving.setdefault(before.home, []).append(
                    _Gone(before, sighting.card, sighting.file)
                )
            elif other is None:
                settled[place] = replace(sighting, card=_with_hashes(sighting.card, before))
        for home, gone in leaving.items():
            self._part(home, gone)
        return settled

    def _known(self, sightings: Sequence[Sighting]) -> list[_KnownFile | None]:
        places = [
            (path_key(sighting.card), sighting.file.path)
            if sighting.card and sighting.file
            else (None, "")
            for sighting in sightings
        ]
        if not any(path for _, path in places):
            return [None] * len(places)
        files, owners = self._store.files(), self._store.owners()
        led = self._store.resolve(
            {name for name, path in places if name is not None and path not in owners}
        )
        stated = self._store.stated(
            {*(owners[path] for _, path in places if path in owners), *led.values()}
        )
        held: dict[AdapterKey, list[str]] = {}
        for path, owner in owners.items():
            held.setdefault(owner, []).append(path)
        found: list[_KnownFile | None] = []
        for name, path in places:
            home = owners.get(path) or (None if name is None else led.get(name))
            card = None if home is None else local_card(stated.get(home, ()), path)
            # One that comes back is compared with what it was, unless the entry has its namesake in
            # another folder.
            away = home is not None and path not in owners
            if home is None or (
                away
                and (card is None or any(matches_path(name, other) for other in held.get(home, ())))
            ):
                found.append(None)
            else:
                found.append(_KnownFile(home, card, files.get(path)))
        return found

    def _part(self, home: AdapterKey, gone: Sequence[_Gone]) -> None:
        """Give the files path keys, and the other cards entries under their own keys."""
        entry = self._store.read([home])[home]
        old = [replaced.before.card for replaced in gone if replaced.before.card is not None]
        left = {
            path
            for card in (*old, *(replaced.card for replaced in gone))
            if (path := path_key(card)) is not None
        }
        paths = {replaced.file.path for replaced in gone}
        stated = [card for card in self._store.stated([home]).get(home, ()) if card not in old]
        cards = _at_home(stated, left, _content_keys(old, () if home in left else (home,)))
        files = [
            (file, local_card(cards, file.path)) for file in entry.files if file.path not in paths
        ]
        kept, entries = self._anew(gone)
        for together in group_cards(cards):
            mine = tuple(file for file, card in files if card in together)
            group = sorted(
                present_cards(together, mine), key=lambda card: _RANK.index(card.key.scheme)
            )
            kept += together
            if all(card.source in ("local", "pictures") for card in group) and not mine:
                continue  # of something that is nowhere now: it waits for that under its key
            first = home if any(home in keys_of(card) for card in group) else group[0].key
            entries.append(self._entry(with_key(first, merge_cards(group)), mine))
        self._store.part(home, kept, entries)
        logger.info(
            "%s: %d files hold something else now; %d entries come of it",
            home,
            len(gone),
            len(entries),
        )

    def _anew(self, gone: Sequence[_Gone]) -> tuple[list[AdapterCard], list[Entry]]:
        """Each file alone under its path; other names are added by the normal import."""
        cards = [
            (replace(replaced.card, key=path, equivalents=()), replaced.file)
            for replaced in gone
            if (path := path_key(replaced.card)) is not None
        ]
        entries = [
            self._entry(card, (replace(file, mtime_ns=0, sha256=None),)) for card, file in cards
        ]
        return [card for card, _ in cards], entries


def _is_other(before: _KnownFile, card: AdapterCard, file: LocalFile) -> bool | None:
    """True if the content differs from before; None if undecided."""
    old = before.card
    if old is not None and old.auto_v3 and card.auto_v3:
        return old.auto_v3 != card.auto_v3  # rewriting the header changes the file, not its tensors
    if before.file is not None and before.file.size != file.size:
        return True
    for was, now in (
        (_hashes(old, before.file), _hashes(card, file)),
        (_civitai(old), _civitai(card)),
    ):
        if was and now:
            return was.isdisjoint(now)
    if before.file is None:
        return bool(
            _hashes(old, None) or _civitai(old)
        )  # it was away: nothing vouches for its being the same
    return None


def _hashes(card: AdapterCard | None, file: LocalFile | None) -> set[AdapterKey]:
    found = set() if card is None else {key for key in keys_of(card) if key.scheme == "sha256"}
    if file is not None and file.sha256 is not None:
        found.add(AdapterKey.sha256(file.sha256))
    return found


def _civitai(card: AdapterCard | None) -> set[AdapterKey]:
    return set() if card is None else {key for key in keys_of(card) if key.scheme == "civitai"}


def _with_hashes(card: AdapterCard, before: _KnownFile) -> AdapterCard:
    return replace(
        card,
        equivalents=tuple(
            sorted({*card.equivalents, *_hashes(before.card, before.file)} - {card.key})
        ),
    )


def _content_keys(old: Iterable[AdapterCard], otherwise: Iterable[AdapterKey]) -> list[AdapterKey]:
    """Keys of the old content that do not depend on its path, best first."""
    found = {key for card in old for key in keys_of(card) if key.scheme != "path"}
    return [*sorted(found, key=lambda key: (_RANK.index(key.scheme), key)), *otherwise]


def _at_home(
    cards: Iterable[AdapterCard], left: set[AdapterKey], content: Sequence[AdapterKey]
) -> list[AdapterCard]:
    """Cards under their own keys; cards from pictures under the content's key."""
    found = []
    for card in cards:
        own = (
            content[:1]
            if card.source == "pictures"
            else [key for key in keys_of(card) if key not in left]
        )
        if own:
            found.append(replace(card, key=own[0], equivalents=tuple(own[1:])))
    return found
