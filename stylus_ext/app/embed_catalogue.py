"""Bring the vectors in step with the catalogue: embed what is new or was made otherwise, drop what is gone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.embedding import VIEWS, View, embedded_text, text_fingerprint, vector_fingerprint
from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Embedder, Progress, Store, VectorIndex, VectorItem

logger = logging.getLogger(__name__)

_BATCH = 512


class EmbedCatalogue:
    """The use case; cheap when nothing changed, since the index remembers for which state of the catalogue it stands."""

    def __init__(self, store: Store, index: VectorIndex, embedder: Embedder) -> None:
        self._store = store
        self._index = index
        self._embedder = embedder
        self._one = Lock()
        self._made, self._total, self._asked = 0, 0, False

    def in_step(self) -> bool:
        return self._index.mark == self._mark()

    def __call__(self, progress: Progress) -> int:
        """How many vectors were made. Two threads that ask at once do the work once."""
        with self._one:
            mark = self._mark()
            if self._index.mark == mark:
                self._asked = True
                return 0
            made = self._bring_in_step(progress)
            self._index.set_mark(mark)
        logger.info("%d vectors made", made)
        return made

    def these(self, keys: Sequence[AdapterKey]) -> None:
        """A few entries at once, while others may still wait for their turn."""
        for view in VIEWS:
            self._embed(view, keys)

    def note(self) -> Note | None:
        """While vectors are still to be made: how many are there."""
        made, total = self._made, self._total
        if not self._asked and not self.in_step():
            return Note("partial_index", "The catalogue is still being read and embedded; this plan used what was there.")
        if made >= total:
            return None
        said = f"{made:,} of the {total:,} vectors that the catalogue still lacked are made by now; this plan used what was there."
        return Note("partial_index", said)

    def _bring_in_step(self, progress: Progress) -> int:
        stale = {view: self._stale(view) for view in VIEWS}
        self._made, self._total, self._asked = 0, sum(map(len, stale.values())), True
        for view, keys in self._own_first(stale):
            for start in range(0, len(keys), _BATCH):
                progress.report("embedding", self._made, self._total)
                self._made += self._embed(view, keys[start : start + _BATCH])
        made, self._total = self._made, self._made  # what went meanwhile is not waited for
        progress.report("embedding", made, made)
        return made

    def _own_first(self, stale: Mapping[View, Sequence[AdapterKey]]) -> Iterator[tuple[View, list[AdapterKey]]]:
        """What is on disk goes before what could be fetched: plans that do not wait for the end shall know it."""
        own = set(self._store.owners().values())
        for on_disk in (True, False):
            for view, keys in stale.items():
                yield view, [key for key in keys if (key in own) is on_disk]

    def _stale(self, view: View) -> list[AdapterKey]:
        """Keys whose vector is missing or was made from something else; vectors of entries that are gone are removed."""
        wanted = self._store.text_fingerprints(view)
        have = self._index.fingerprints(view)
        self._index.remove([key for key in have if key not in wanted])
        return [key for key, (family, text) in wanted.items() if have.get(key) != self.made_from(family, text)]

    def made_from(self, family: str, text_print: str) -> str:
        """The family is searched by, so a vector with another family is another vector."""
        return vector_fingerprint(f"{self._embedder.name}/{family}", text_print)

    def _embed(self, view: View, keys: Sequence[AdapterKey]) -> int:
        entries = self._store.read(keys)
        texts = [embedded_text(entry, view) for entry in entries.values()]
        if not texts:
            return 0
        vectors = self._embedder.embed(texts)
        items = [
            VectorItem(key, view, entry.family, self.made_from(entry.family, text_fingerprint(text)))
            for (key, entry), text in zip(entries.items(), texts, strict=True)
        ]
        self._index.write(items, vectors)
        return len(items)

    def _mark(self) -> str:
        return f"{self._store.identity}:{self._store.revision}:{self._embedder.name}"

