"""Keeps the lexical index in step with the store: what changed since is added as a small segment,
the rest stays as it is.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.ports import Store
from stylus_ext.selection.lexical.index import LexicalIndex
from stylus_ext.selection.lexical.segment import FORMAT, IndexSegment, build, load, save

log = logging.getLogger(__name__)

MOST_SEGMENTS = 8
"""Small segments before they are made one."""

MOST_CHANGED = 0.1
"""Share of changed entries from which all is made anew."""

FEWEST_TO_REBUILD = 200


class LexicalCatalogue:
    """`current()` is the index of the store as it is now. May be asked from several threads."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._lock = threading.Lock()
        self._state: tuple[str, int] | None = None
        self._segments: list[IndexSegment] = []
        self._gone: set[str] = set()
        self._index = LexicalIndex.of(())

    def current(self) -> LexicalIndex:
        with self._lock:
            state = self._store.identity, self._store.revision
            if self._state != state:
                self._refresh(*state)
                self._state = state
            return self._index

    def _refresh(self, identity: str, revision: int) -> None:
        since = (
            self._state[1]
            if self._state is not None and self._state[0] == identity
            else self._open(identity)
        )
        changed: dict[str, Entry] = {}
        if since is not None and since <= revision:
            for change in self._store.changes(since):
                key = str(change.key)
                if change.entry is None:
                    self._gone.add(key)
                    changed.pop(key, None)
                else:
                    self._gone.discard(key)
                    changed[key] = change.entry
                if self._too_many(len(changed) + len(self._gone)):
                    since = None
                    break
        if since is None or since > revision:
            self._rebuild(identity, revision)
        elif changed:
            self._segments.append(build(changed.values()))
            self._merge()
        self._index = LexicalIndex.of(self._segments, frozenset(self._gone))
        log.info(
            "Lexical index at revision %d: %d entries in %d segments.",
            revision,
            len(self._index),
            len(self._segments),
        )

    def _too_many(self, fresh: int) -> bool:
        base = len(self._segments[0]) if self._segments else 0
        later = sum(len(segment) for segment in self._segments[1:]) + fresh
        return later > max(FEWEST_TO_REBUILD, MOST_CHANGED * base)

    def _merge(self) -> None:
        """Many small segments become one, read again from the store."""
        if len(self._segments) <= MOST_SEGMENTS:
            return
        keys = [
            key
            for key in dict.fromkeys(key for part in self._segments[1:] for key in part.keys)
            if key not in self._gone
        ]
        entries = self._store.read(AdapterKey.parse(key) for key in keys)
        self._segments[1:] = [build(entries.values())]

    def _rebuild(self, identity: str, revision: int) -> None:
        self._gone = set()
        segment = build(self._all())
        self._segments = [segment]
        folder = self._path(identity, revision)
        try:
            save(segment, folder)
        except OSError as problem:  # a read-only or full disk: the index then lives in memory alone
            log.warning("The lexical index cannot be kept in %s: %s.", self._folder, problem)
            return
        kept = load(folder)
        if kept is not None:
            self._segments = [kept]
        for other in self._saved():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)

    def _all(self) -> Iterator[Entry]:
        for change in self._store.changes(0):
            if change.entry is not None:
                yield change.entry

    def _open(self, identity: str) -> int | None:
        """The revision of the newest index on disk that is of this store."""
        self._segments, self._gone = [], set()
        prefix = self._path(identity, 0).name.rpartition("-")[0]
        mine = {
            _revision(path): path
            for path in self._saved()
            if path.name.rpartition("-")[0] == prefix
        }
        for revision in sorted(mine, reverse=True):
            segment = load(mine[revision])
            if segment is not None:
                self._segments = [segment]
                return revision
        return None

    def _path(self, identity: str, revision: int) -> Path:
        mark = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return self._folder / f"lexical-{FORMAT}-{mark}-{revision}"

    def _saved(self) -> Iterable[Path]:
        found: list[Path] = []
        with suppress(OSError):
            found = [path for path in self._folder.iterdir() if path.name.startswith("lexical-")]
        return found


def _revision(path: Path) -> int:
    last = path.name.rpartition("-")[2]
    return int(last) if last.isdigit() else -1
