"""What a host elsewhere has in its LoRA folder: its list goes in once, and by its number the
adapters that it can load come out.

An engine that many WebUIs share does not see their disks. A file is an entry's when its bytes are
(SHA256, else AutoV3), else when it has the stem of the engine's own file and nothing speaks against
it; the tag then says the host's stem.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import PurePath
from threading import Lock

from stylus_ext.core.card import AUTO_V3, AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import StylusError
from stylus_ext.core.family import UNKNOWN, ecosystem, family_of
from stylus_ext.core.lru import LruCache
from stylus_ext.core.naming import FileNames, TagNames
from stylus_ext.core.ports import Store

_KEPT = 32
_NUMBER = 24
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnknownInventory(StylusError):
    """The list behind this number was never sent here, or is forgotten: it is to be sent again."""


@dataclass(frozen=True, slots=True, order=True)
class ListedFile:
    """One file as its host knows it; what it does not know is empty."""

    stem: str
    sha256: str = ""
    auto_v3: str = ""
    family: str = ""


@dataclass(slots=True)
class _KnownInventory:
    items: tuple[ListedFile, ...]
    state: tuple[str, int] | None = None
    reach: Mapping[AdapterKey, str] | None = None


class Inventories:
    """Keeps the latest lists, and finds out anew whose files they are when the catalogue has
    changed.
    """

    def __init__(
        self,
        store: Store,
        on_disk: Callable[[], Mapping[AdapterKey, str]],
        names: Callable[[], TagNames],
    ) -> None:
        self._store = store
        self._on_disk = on_disk
        self._names = names
        self._known = LruCache[str, _KnownInventory](_KEPT)
        self._guard = Lock()

    def take(self, items: Sequence[ListedFile]) -> str:
        """The number by which the list is known from now on: the same list has the same one."""
        kept = tuple({item.stem: item for item in sorted(items)}.values())
        text = "\n".join(
            "\t".join((item.stem, item.sha256, item.auto_v3, item.family)) for item in kept
        )
        number = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_NUMBER]
        with self._guard:
            self._known.setdefault(number, _KnownInventory(kept))
        return number

    def reach(self, number: str) -> Mapping[AdapterKey, str]:
        """By key the stem under which that host loads it."""
        state = (self._store.identity, self._store.revision)
        with self._guard:
            known = self._known.get(number)
            if known is None:
                raise UnknownInventory(
                    f"This engine has no inventory {number[:_NUMBER]!r}; it is to be sent again."
                )
            if known.reach is None or known.state != state:
                known.reach, known.state = self._matched(known.items), state
            return known.reach

    def _matched(self, items: Sequence[ListedFile]) -> dict[AdapterKey, str]:
        theirs = {item.stem: AdapterKey.sha256(_sum(item)) for item in items if _sum(item)}
        firsts = self._store.resolve(theirs.values())
        shorts = self._names().hashes
        ours = {stem: key for key, stem in self._on_disk().items()}
        by_bytes: dict[str, AdapterKey] = {}
        by_stem: dict[str, AdapterKey] = {}
        for item in items:
            key = firsts.get(theirs[item.stem]) if item.stem in theirs else None
            key = key or shorts.get(item.auto_v3[:AUTO_V3].lower())
            if key is not None:
                by_bytes[item.stem] = key
            elif item.stem in ours:
                by_stem[item.stem] = ours[item.stem]
        entries = self._store.read({*by_bytes.values(), *by_stem.values()})
        found: dict[AdapterKey, str] = {}
        for item in items:
            key = by_bytes.get(item.stem)
            if key in entries and _is_of_family(item, entries[key]):
                found.setdefault(key, item.stem)
        for item in items:
            key = by_stem.get(item.stem)
            if (
                key in entries
                and _is_of_family(item, entries[key])
                and not _is_another(item, entries[key])
            ):
                found.setdefault(key, item.stem)
        return found


def _sum(item: ListedFile) -> str:
    """What is no SHA256 says nothing."""
    said = item.sha256.lower()
    return said if _SHA256.fullmatch(said) else ""


def _is_of_family(item: ListedFile, entry: Entry) -> bool:
    """A host's Lora extension tells no more than the ecosystem of some, so SDXL is said of Pony
    too; nothing said is no objection.
    """
    said = family_of(item.family)
    if UNKNOWN in (said, entry.family):
        return True
    return (
        said == entry.family or said == ecosystem(entry.family) or ecosystem(said) == entry.family
    )


def _is_another(item: ListedFile, entry: Entry) -> bool:
    """Both hashes are known, and they differ: another file has this name."""
    hashes = {key.value for key in (entry.key, *entry.card.equivalents) if key.scheme == "sha256"}
    hashes |= {file.sha256 for file in entry.files if file.sha256}
    if _sum(item) and hashes:
        return _sum(item) not in hashes
    return (
        bool(item.auto_v3 and entry.card.auto_v3)
        and item.auto_v3[:AUTO_V3].lower() != entry.card.auto_v3
    )


class OnDisk:
    """Asks the store once for each state of the catalogue."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = Lock()
        self._state: tuple[str, int] | None = None
        self._owners: Mapping[str, AdapterKey] = {}

    def __call__(self, folders: Sequence[str] = ()) -> dict[AdapterKey, str]:
        """By key the stem; of two files with one stem the host sees one, so the first by path
        stands for both.
        """
        stems: dict[str, AdapterKey] = {}
        for path, key in sorted(self._known().items()):
            if not folders or _lies_in(path, folders):
                stems.setdefault(PurePath(path).stem, key)
        return {key: stem for stem, key in sorted(stems.items(), reverse=True)}

    def _known(self) -> Mapping[str, AdapterKey]:
        with self._guard:
            state = (self._store.identity, self._store.revision)
            if state != self._state:
                self._owners = self._store.owners()
                self._state = state
            return self._owners


class NamesOnDisk:
    """Reads the entries of all files once, then only what changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = Lock()
        self._state: tuple[str, int] | None = None
        self._files: dict[AdapterKey, tuple[tuple[str, FileNames], ...]] = {}
        self._whole: TagNames | None = None

    def __call__(self, only: frozenset[AdapterKey] | None = None) -> TagNames:
        """The names of these adapters, or of all on disk; an alias that two of them have is
        none.
        """
        with self._guard:
            self._follow()
            if only is not None and not only.issuperset(self._files):
                return self._names(only)
            if self._whole is None:
                self._whole = self._names(self._files.keys())
            return self._whole

    def _follow(self) -> None:
        state = (self._store.identity, self._store.revision)
        before, self._state = self._state, state
        if before == state:
            return
        self._whole = None
        if before is None or before[0] != state[0] or before[1] > state[1]:
            entries = self._store.read(set(self._store.owners().values()))
            self._files = {entry.key: _called(entry) for entry in entries.values()}
            return
        for change in self._store.changes(before[1]):
            self._files.pop(change.key, None)
            if change.entry is not None and change.entry.files:
                self._files[change.key] = _called(change.entry)

    def _names(self, keys: Iterable[AdapterKey]) -> TagNames:
        files = sorted(
            (file for key in keys for file in self._files.get(key, ())), key=itemgetter(0)
        )
        return TagNames.of(called for _, called in files)


def _called(entry: Entry) -> tuple[tuple[str, FileNames], ...]:
    """By path what each file of an entry is called."""
    card = entry.card
    return tuple(
        (file.path, FileNames(entry.key, file.stem, card.alias, card.auto_v3))
        for file in entry.files
    )


def _lies_in(path: str, folders: Sequence[str]) -> bool:
    return any(PurePath(path).is_relative_to(folder) for folder in folders)
