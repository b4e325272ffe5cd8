"""Keeps vectors in step with the catalogue: embeds changed entries, removes deleted ones."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from types import TracebackType
from typing import TypeAlias

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS, View, embedded_text, text_fingerprint, vector_fingerprint
from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Embedder, Matrix, Progress, Store, VectorIndex, VectorItem

logger = logging.getLogger(__name__)


class BackgroundWriter:
    """Writes in a background thread; at most one batch waits.

    An error is raised by the next `give` or by `finish`; batches given before a cancel are still
    written.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="stylus-behind")
        self._last: Future[None] | None = None

    def give(self, work: Callable[[], None]) -> None:
        self.finish()
        self._last = self._pool.submit(work)

    def finish(self) -> None:
        """Wait for the last batch."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> BackgroundWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.ExitStack() as leaving:
            leaving.callback(self._pool.shutdown)
            if kind is None:
                self.finish()


_Wanted: TypeAlias = "dict[View, dict[AdapterKey, tuple[str, str] | None]]"
"""Family and text fingerprint of what is to have a vector; None for what is gone."""

_BATCH = 512
_READ = 2048
"""Entries whose texts are put in order together."""


class EmbedCatalogue:
    """Embeds what changed; cheap when nothing did, since the index stores its catalogue state."""

    def __init__(self, store: Store, index: VectorIndex, embedder: Embedder) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._one = Lock()
        self._made, self._total, self._compared = 0, 0, False
        self._seen_in_step = 0

    def is_current(self) -> bool:
        return self._index.mark == self._mark(self._store.revision)

    def __call__(self, progress: Progress) -> int:
        """Return the number of vectors made; concurrent calls do the work once."""
        with self._one:
            revision = self._store.revision
            mark = self._mark(revision)
            if self._index.mark == mark:
                self._compared = True
                return 0
            made = self._bring_in_step(progress)
            self._index.set_mark(mark)
            self._seen_in_step = revision
        logger.info("%d vectors made", made)
        return made

    def embed_now(self, keys: Sequence[AdapterKey]) -> None:
        """Embed a few entries now, ahead of others."""
        items, texts = self._texts({key: VIEWS for key in keys})
        if items:
            self._index.write(items, self._embedder.embed(texts))

    def note(self) -> Note | None:
        """Return a progress note while vectors are missing."""
        made, total = self._made, self._total
        if not self._compared and not self.is_current():
            return Note(
                "partial_index",
                "The catalogue is still being read and embedded; this plan used what was there.",
            )
        if made >= total:
            return None
        message = (
            f"{made:,} of the {total:,} vectors that the catalogue still lacked are made by now;"
            " this plan used what was there."
        )
        return Note("partial_index", message)

    def _bring_in_step(self, progress: Progress) -> int:
        stale = self._stale()
        self._made, self._total, self._compared = 0, sum(map(len, stale.values())), True
        with BackgroundWriter() as behind:
            for wanted in self._own_first(stale):
                items, texts = self._texts(wanted)
                for start in range(0, len(items), _BATCH):
                    progress.report("embedding", self._made, self._total)
                    part = slice(start, start + _BATCH)
                    behind.give(
                        partial(self._write, items[part], self._embedder.embed(texts[part]))
                    )
        made, self._total = self._made, self._made  # what went meanwhile is not waited for
        progress.report("embedding", made, made)
        return made

    def _write(self, items: Sequence[VectorItem], vectors: Matrix) -> None:
        self._index.write(items, vectors)
        self._made += len(items)

    def _own_first(
        self, stale: Mapping[View, Sequence[AdapterKey]]
    ) -> Iterator[dict[AdapterKey, tuple[View, ...]]]:
        """Batches with files on disk first, so that early plans can use them."""
        own = set(self._store.owners().values())
        views: dict[AdapterKey, tuple[View, ...]] = {}
        for view, keys in stale.items():
            views.update({key: (*views.get(key, ()), view) for key in keys})
        for on_disk in (True, False):
            keys_of = [key for key in views if (key in own) is on_disk]
            for start in range(0, len(keys_of), _READ):
                yield {key: views[key] for key in keys_of[start : start + _READ]}

    def _stale(self) -> dict[View, list[AdapterKey]]:
        """Keys with a missing or outdated vector; vectors of deleted entries are removed."""
        have = {view: self._index.fingerprints(view) for view in VIEWS}
        since = self._seen_in_step if self._index.mark == self._mark(self._seen_in_step) else 0
        wanted = self._changed(since) if since else self._all(have)
        self._index.remove(
            [key for view in VIEWS for key, made in wanted[view].items() if made is None]
        )
        return {
            view: [
                key
                for key, made in wanted[view].items()
                if made is not None and have[view].get(key) != self.made_from(*made)
            ]
            for view in VIEWS
        }

    def _all(self, have: Mapping[View, Mapping[AdapterKey, str]]) -> _Wanted:
        """Full comparison, once per process: 100,000 entries take a second."""
        return {
            view: {**dict.fromkeys(have[view]), **self._store.text_fingerprints(view)}
            for view in VIEWS
        }

    def _changed(self, since: int) -> _Wanted:
        """Entries changed since this process saw everything in step."""
        wanted: _Wanted = {view: {} for view in VIEWS}
        for change in self._store.changes(since):
            for view in VIEWS:
                entry = change.entry
                wanted[view][change.key] = (
                    None
                    if entry is None
                    else (entry.family, text_fingerprint(embedded_text(entry, view)))
                )
        return wanted

    def made_from(self, family: str, text_print: str) -> str:
        """Fingerprint of a vector; includes the family, which searches filter by."""
        return vector_fingerprint(f"{self._embedder.name}/{family}", text_print)

    def _texts(
        self, wanted: Mapping[AdapterKey, Sequence[View]]
    ) -> tuple[list[VectorItem], list[str]]:
        """Items and texts, longest first: a batch takes as long as its longest text."""
        entries = self._store.read(wanted)
        found = [
            (embedded_text(entry, view), entry, view)
            for key, entry in entries.items()
            for view in wanted.get(key, VIEWS)
        ]
        found.sort(key=lambda row: -len(row[0]))
        items = [
            VectorItem(
                entry.key, view, entry.family, self.made_from(entry.family, text_fingerprint(text))
            )
            for text, entry, view in found
        ]
        return items, [text for text, _, _ in found]

    def _mark(self, revision: int) -> str:
        return f"{self._store.identity}:{revision}:{self._embedder.name}"
