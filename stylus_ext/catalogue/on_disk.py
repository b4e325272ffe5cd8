"""Which entries have files a host can load, and under which names.

A remote host sends its list once and refers to it by number. A file belongs to an entry by SHA256,
else AutoV3, else by stem if nothing contradicts; tags use the host's stem.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from operator import itemgetter
from pathlib import PurePath
from threading import Lock

from stylus_ext.core.adapter_type import ADAPTER_TYPES, LORA
from stylus_ext.core.card import AUTO_V3, AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import StylusError
from stylus_ext.core.family import UNKNOWN, ecosystem, family_of
from stylus_ext.core.file_names import FileNames, TagNames
from stylus_ext.core.lru import LruCache
from stylus_ext.core.ports import Store

_KEPT = 32
_NUMBER = 24
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnknownInventory(StylusError):
    """This inventory number is unknown or forgotten; the list must be sent again."""


@dataclass(frozen=True, slots=True, order=True)
class ListedFile:
    """One file in a remote host's list; unknown fields are empty."""

    stem: str
    sha256: str = ""
    auto_v3: str = ""
    family: str = ""
    type: str = LORA


ByType = Mapping[str, Mapping[AdapterKey, str]]
"""By type of adapter the host's stem by key."""


@dataclass(slots=True)
class _KnownInventory:
    items: tuple[ListedFile, ...]
    state: tuple[str, int] | None = None
    reach: ByType | None = None


class Inventories:
    """Keeps the latest inventories and matches them again when the catalogue changes."""

    def __init__(
        self,
        store: Store,
        on_disk: Callable[[], ByType],
        names: Callable[[], TagNames],
    ) -> None:
        self._store = store
        self._on_disk = on_disk
        self._names = names
        self._known = LruCache[str, _KnownInventory](_KEPT)
        self._guard = Lock()

    def take(self, items: Sequence[ListedFile]) -> str:
        """Store a list and return its number; equal lists have equal numbers."""
        kept = tuple({(item.type, item.stem): item for item in sorted(items)}.values())
        text = "\n".join("\t".join(astuple(item)) for item in kept)
        number = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_NUMBER]
        with self._guard:
            self._known.setdefault(number, _KnownInventory(kept))
        return number

    def reach(self, number: str) -> Mapping[AdapterKey, str]:
        """The host's stem by the key of a LoRA."""
        return self.by_type(number)[LORA]

    def by_type(self, number: str) -> ByType:
        state = (self._store.identity, self._store.revision)
        with self._guard:
            known = self._known.get(number)
            if known is None:
                raise UnknownInventory(
                    f"This engine has no inventory {number[:_NUMBER]!r}; it is to be sent again."
                )
            if known.reach is None or known.state != state:
                known.reach, known.state = self._all_matched(known.items), state
            return known.reach

    def _all_matched(self, items: Sequence[ListedFile]) -> ByType:
        ours = self._on_disk()
        return {
            name: self._matched([item for item in items if item.type == name], ours[name])
            for name in ADAPTER_TYPES
        }

    def _matched(
        self, items: Sequence[ListedFile], on_disk: Mapping[AdapterKey, str]
    ) -> dict[AdapterKey, str]:
        theirs = {item.stem: AdapterKey.sha256(_sum(item)) for item in items if _sum(item)}
        firsts = self._store.resolve(theirs.values())
        shorts = self._names().hashes
        ours = {stem: key for key, stem in on_disk.items()}
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
    """The SHA256, or empty if the value is not one."""
    digest = item.sha256.lower()
    return digest if _SHA256.fullmatch(digest) else ""


def _is_of_family(item: ListedFile, entry: Entry) -> bool:
    """True unless type or families contradict; hosts report SDXL for Pony too."""
    if item.type != entry.card.type:
        return False
    family = family_of(item.family)
    if UNKNOWN in (family, entry.family):
        return True
    return (
        family == entry.family
        or family == ecosystem(entry.family)
        or ecosystem(family) == entry.family
    )


def _is_another(item: ListedFile, entry: Entry) -> bool:
    """True if both hashes are known and differ."""
    hashes = {key.value for key in (entry.key, *entry.card.equivalents) if key.scheme == "sha256"}
    hashes |= {file.sha256 for file in entry.files if file.sha256}
    if _sum(item) and hashes:
        return _sum(item) not in hashes
    return (
        bool(item.auto_v3 and entry.card.auto_v3)
        and item.auto_v3[:AUTO_V3].lower() != entry.card.auto_v3
    )


class OnDisk:
    """Adapters with local files, cached per catalogue state."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = Lock()
        self._state: tuple[str, int] | None = None
        self._owners: Mapping[str, AdapterKey] = {}
        self._others: Mapping[AdapterKey, str] = {}

    def __call__(self, folders: Sequence[str] = ()) -> dict[AdapterKey, str]:
        """Stem by key, of LoRAs."""
        return self.by_type(folders)[LORA]

    def by_type(self, folders: Sequence[str] = ()) -> dict[str, dict[AdapterKey, str]]:
        """By type the stem by key; of two files with one stem the first by path counts, as in the
        host.
        """
        owners, others = self._known()
        stems: dict[str, dict[str, AdapterKey]] = {name: {} for name in ADAPTER_TYPES}
        for path, key in sorted(owners.items()):
            if not folders or any(PurePath(path).is_relative_to(folder) for folder in folders):
                stems[others.get(key, LORA)].setdefault(PurePath(path).stem, key)
        return {
            name: {key: stem for stem, key in sorted(of_type.items(), reverse=True)}
            for name, of_type in stems.items()
        }

    def _known(self) -> tuple[Mapping[str, AdapterKey], Mapping[AdapterKey, str]]:
        with self._guard:
            state = (self._store.identity, self._store.revision)
            if state != self._state:
                self._owners, self._others = self._store.owners(), self._store.other_types()
                self._state = state
            return self._owners, self._others


class NamesOnDisk:
    """Names of all local files of LoRAs; later calls read only changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = Lock()
        self._state: tuple[str, int] | None = None
        self._files: dict[AdapterKey, tuple[tuple[str, FileNames], ...]] = {}
        self._whole: TagNames | None = None

    def __call__(self, only: frozenset[AdapterKey] | None = None) -> TagNames:
        """Names of these adapters, or of all on disk; ambiguous aliases are dropped."""
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
            loras = (entry for entry in entries.values() if entry.card.type == LORA)
            self._files = {entry.key: _called(entry) for entry in loras}
            return
        for change in self._store.changes(before[1]):
            self._files.pop(change.key, None)
            entry = change.entry
            if entry is not None and entry.files and entry.card.type == LORA:
                self._files[change.key] = _called(entry)

    def _names(self, keys: Iterable[AdapterKey]) -> TagNames:
        files = sorted(
            (file for key in keys for file in self._files.get(key, ())), key=itemgetter(0)
        )
        return TagNames.of(called for _, called in files)


def _called(entry: Entry) -> tuple[tuple[str, FileNames], ...]:
    """Names of each file of an entry, by path."""
    card = entry.card
    return tuple(
        (file.path, FileNames(entry.key, file.stem, card.alias, card.auto_v3))
        for file in entry.files
    )
