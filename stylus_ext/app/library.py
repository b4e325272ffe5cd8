"""What is on disk: which adapters the host can load, under which stem it knows each, and what else
they may be called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import PurePath
from threading import Lock

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry
from stylus_ext.core.names import Called, Names
from stylus_ext.core.ports import Store


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
        self._files: dict[AdapterKey, tuple[tuple[str, Called], ...]] = {}
        self._whole: Names | None = None

    def __call__(self, only: frozenset[AdapterKey] | None = None) -> Names:
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

    def _names(self, keys: Iterable[AdapterKey]) -> Names:
        files = sorted(
            (file for key in keys for file in self._files.get(key, ())), key=itemgetter(0)
        )
        return Names.of(called for _, called in files)


def _called(entry: Entry) -> tuple[tuple[str, Called], ...]:
    """By path what each file of an entry is called."""
    card = entry.card
    return tuple(
        (file.path, Called(entry.key, file.stem, card.alias, card.auto_v3)) for file in entry.files
    )


def _lies_in(path: str, folders: Sequence[str]) -> bool:
    return any(PurePath(path).is_relative_to(folder) for folder in folders)
