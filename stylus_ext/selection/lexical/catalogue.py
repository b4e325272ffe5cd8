"""What the retriever keeps in step with the store: the lexical index, and entries read lately.

A change of the store adds a small segment to the index; the other segments stay as they are.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.lru import LruCache
from stylus_ext.core.ports import Store
from stylus_ext.selection.lexical.index import LexicalIndex
from stylus_ext.selection.lexical.segment import FORMAT, IndexSegment, build, load, save

logger = logging.getLogger(__name__)

MAX_SEGMENTS = 8
"""With more, the small segments are merged into one."""

MAX_CHANGED = 0.1
"""Share of changed entries above which the whole index is rebuilt."""

MIN_TO_REBUILD = 200

_ENTRIES_KEPT = 4096


class LexicalCatalogue:
    """The lexical index of a store; safe to use from several threads."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()
        self._state: tuple[str, int] | None = None
        self._segments: list[IndexSegment] = []
        self._removed: set[str] = set()
        self._index = LexicalIndex.of(())

    def current(self) -> LexicalIndex:
        """The index of the store as it is now."""
        with self._lock:
            state = self._store.identity, self._store.revision
            if self._state != state:
                self._refresh(*state)
                self._state = state
            return self._index

    def _refresh(self, identity: str, revision: int) -> None:
        same_store = self._state is not None and self._state[0] == identity
        since = self._state[1] if self._state and same_store else self._open(identity)
        changed = None if since is None or since > revision else self._changed(since)
        if changed is None:
            self._rebuild(identity, revision)
        elif changed:
            self._segments.append(build(changed.values()))
            self._merge()
        self._index = LexicalIndex.of(self._segments, frozenset(self._removed))
        counts = len(self._index.rows), len(self._segments)
        logger.info("Lexical index at revision %d: %d entries in %d segments.", revision, *counts)

    def _changed(self, since: int) -> dict[str, Entry] | None:
        """Entries changed since a revision; None if there are too many for a small segment."""
        base, *later = [len(segment.keys) for segment in self._segments] or [0]
        most = max(MIN_TO_REBUILD, MAX_CHANGED * base) - sum(later)
        changed: dict[str, Entry] = {}
        for change in self._store.changes(since):
            key = str(change.key)
            if change.entry is None:
                self._removed.add(key)
                changed.pop(key, None)
            else:
                self._removed.discard(key)
                changed[key] = change.entry
            if len(changed) + len(self._removed) > most:
                return None
        return changed

    def _merge(self) -> None:
        """Join the small segments if there are too many, reading their entries anew."""
        if len(self._segments) <= MAX_SEGMENTS:
            return
        keys = dict.fromkeys(key for segment in self._segments[1:] for key in segment.keys)
        entries = self._store.read(
            AdapterKey.parse(key) for key in keys if key not in self._removed
        )
        self._segments[1:] = [build(entries.values())]

    def _rebuild(self, identity: str, revision: int) -> None:
        self._removed = set()
        self._segments = [
            build(change.entry for change in self._store.changes(0) if change.entry is not None)
        ]
        folder = self._path(identity, revision)
        try:
            save(self._segments[0], folder)
        except OSError as error:  # a full or read-only disk: the index stays in memory
            logger.warning("Lexical index not saved in %s: %s", self._folder, error)
            return
        if (saved := load(folder)) is not None:
            self._segments = [saved]
        for other in self._saved():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)

    def _open(self, identity: str) -> int | None:
        """Load the newest saved index of this store; its revision, or None."""
        self._segments, self._removed = [], set()
        prefix = self._path(identity, 0).name.removesuffix("0")
        revisions = [
            int(number)
            for path in self._saved()
            if path.name.startswith(prefix) and (number := path.name[len(prefix) :]).isdecimal()
        ]
        for revision in sorted(revisions, reverse=True):
            if (segment := load(self._path(identity, revision))) is not None:
                self._segments = [segment]
                return revision
        return None

    def _path(self, identity: str, revision: int) -> Path:
        store = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return self._folder / f"lexical-{FORMAT}-{store}-{revision}"

    def _saved(self) -> Iterator[Path]:
        with suppress(OSError):
            yield from [path for path in self._folder.iterdir() if path.name.startswith("lexical-")]


class EntryReader:
    """Reads entries through a cache, which is emptied when the catalogue changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state = "", -1
        self._entries: LruCache[AdapterKey, Entry] = LruCache(_ENTRIES_KEPT)
        self._lock = threading.Lock()

    def read(self, keys: Sequence[AdapterKey]) -> dict[AdapterKey, Entry]:
        state = self._store.identity, self._store.revision
        with self._lock:
            if state != self._state:
                self._entries.clear()
                self._state = state
            found = {key: self._entries[key] for key in keys if key in self._entries}
        fresh = self._store.read(key for key in keys if key not in found)
        with self._lock:
            if state == self._state:
                self._entries.update(fresh)
        return {**found, **fresh}
