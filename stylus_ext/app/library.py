"""What is on disk: which adapters the host can load, and under which stem it knows each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from threading import Lock

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.ports import Store


class OnDisk:
    """Asks the store once for each state of the catalogue."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = Lock()
        self._state: tuple[str, int] | None = None
        self._owners: Mapping[str, AdapterKey] = {}

    def __call__(self, folders: Sequence[str] = ()) -> dict[AdapterKey, str]:
        """By key the stem; of two files with one stem the host sees one, so the first by path stands for both."""
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


def _lies_in(path: str, folders: Sequence[str]) -> bool:
    return any(PurePath(path).is_relative_to(folder) for folder in folders)
