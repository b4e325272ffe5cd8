"""Published vectors become those of imported entries: rows of a mapped matrix go to the index, so
that nobody embeds them again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from stylus_ext.app.workshop import Workshop
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry
from stylus_ext.core.embedding import VIEWS, embedded_text, text_fingerprint
from stylus_ext.core.importing import LentItem, PublishedVectors
from stylus_ext.core.ports import Matrix, Progress, VectorItem

_BATCH = 1024
Take = Callable[[Sequence[LentItem], Matrix], None]


class LendVectors:
    """The use case. What the index has already, made from the same texts, is passed over: that is
    how it resumes.
    """

    def __init__(
        self,
        shop: Workshop,
        made_from: Callable[[str, str], str],
        have: Mapping[AdapterKey, tuple[str, ...]],
    ) -> None:
        """`made_from` family and text says what a vector is made from, `have` the same of those
        that there are, view by view.
        """
        self._shop = shop
        self._made_from = made_from
        self._have = have

    def __call__(
        self,
        vectors: PublishedVectors,
        places: Sequence[tuple[int, AdapterKey]],
        take: Take,
        progress: Progress,
    ) -> int:
        """How many entries got theirs."""
        lent = 0
        for start in range(0, len(places), _BATCH):
            progress.report("taking in vectors", start, len(places))
            some = places[start : start + _BATCH]
            with self._shop.changing:
                lent += self._lend(vectors, some, take)
        progress.report("taking in vectors", len(places), len(places))
        return lent

    def _lend(
        self, vectors: PublishedVectors, places: Sequence[tuple[int, AdapterKey]], take: Take
    ) -> int:
        entries = self._shop.store.read([key for _, key in places])
        wanted = [(place, self._item(entries[key])) for place, key in places if key in entries]
        wanted = [
            (place, item) for place, item in wanted if self._have.get(item.key) != item.prints
        ]
        rows = (
            np.asarray(vectors.values[[place for place, _ in wanted]], dtype=np.float32)
            if wanted
            else np.empty((0, vectors.dimensions))
        )
        lengths = np.linalg.norm(rows, axis=1)
        usable = np.isfinite(lengths) & (lengths > 0)
        items = [item for (_, item), right in zip(wanted, usable, strict=True) if right]
        if items:
            take(items, (rows[usable] / lengths[usable, np.newaxis]).astype(np.float32))
        return len(items)

    def _item(self, entry: Entry) -> LentItem:
        texts = (text_fingerprint(embedded_text(entry, view)) for view in VIEWS)
        return LentItem(
            entry.key, entry.family, tuple(self._made_from(entry.family, text) for text in texts)
        )


def into(index_write: Callable[[Sequence[VectorItem], Matrix], None]) -> Take:
    """Takes them as the index's own, one for each view."""

    def take(items: Sequence[LentItem], vectors: Matrix) -> None:
        for place, view in enumerate(VIEWS):
            index_write(
                [VectorItem(item.key, view, item.family, item.prints[place]) for item in items],
                vectors,
            )

    return take
