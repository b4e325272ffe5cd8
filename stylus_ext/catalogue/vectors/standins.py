"""Index wrappers: one for imported vectors, one for an index of unknown vector length.

An imported row serves every view of its entry until the encoder makes that view's own vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock, RLock

import numpy as np

from stylus_ext.catalogue.vectors import exact
from stylus_ext.catalogue.vectors.index import ChromaIndex
from stylus_ext.catalogue.vectors.matrix import Row, Rows, Snapshot, read_json
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS, View
from stylus_ext.core.errors import InvalidInput, Note, StoreProblem
from stylus_ext.core.importing import ImportedVector
from stylus_ext.core.ports import Hit, Matrix, VectorItem


class LateIndex:
    """Opens the index with `make` once `known` returns the vector length (0: unknown)."""

    def __init__(self, known: Callable[[], int], make: Callable[[], ChromaIndex]) -> None:
        self._known = known
        self._make = make
        self._guard = Lock()
        self._index: ChromaIndex | None = None

    @property
    def notes(self) -> tuple[Note, ...]:
        index = self._now()
        return () if index is None else index.notes

    @property
    def mark(self) -> str:
        index = self._now()
        return "" if index is None else index.mark

    def set_mark(self, mark: str) -> None:
        index = self._now()
        if index is not None:
            index.set_mark(mark)

    def fingerprints(self, view: View) -> Mapping[AdapterKey, str]:
        index = self._now()
        return {} if index is None else index.fingerprints(view)

    def write(self, items: Sequence[VectorItem], vectors: Matrix) -> None:
        """Write vectors; their length is known now."""
        index = self._now()
        if index is not None:
            index.write(items, vectors)

    def remove(self, keys: Iterable[AdapterKey]) -> None:
        index = self._now()
        if index is not None:
            index.remove(keys)

    def search(
        self, view: View, queries: Matrix, top: int, families: frozenset[str] | None = None
    ) -> list[list[Hit]]:
        index = self._now()
        return (
            [[] for _ in queries] if index is None else index.search(view, queries, top, families)
        )

    def vector(self, view: View, key: AdapterKey) -> Matrix | None:
        index = self._now()
        return None if index is None else index.vector(view, key)

    def cosines(self, view: View, queries: Matrix, keys: Sequence[AdapterKey]) -> Matrix:
        index = self._now()
        return (
            np.zeros((len(queries), len(keys)), dtype=np.float32)
            if index is None
            else index.cosines(view, queries, keys)
        )

    def close(self) -> None:
        with self._guard:
            if self._index is not None:
                self._index.close()

    def _now(self) -> ChromaIndex | None:
        with self._guard:
            if self._index is None and self._known():
                self._index = self._make()
            return self._index


def remembered_dimensions(folder: Path, embedder: str) -> int:
    """Stored vector length of this encoder; 0 if none."""
    for place in sorted(folder.glob("*/about.json")):
        about = read_json(place) or {}
        length = about.get("dimensions")
        if about.get("embedder") == embedder and isinstance(length, int) and length > 0:
            return length
    return 0


_NAME = "lent"  # of its files; kept, since folders of 0.1.0 have it
_PARTED = " "


class ImportedIndex:
    """Implements `VectorIndex`."""

    def __init__(self, own: ChromaIndex | LateIndex, folder: Path, dimensions: int) -> None:
        self._own, self._dimensions = own, dimensions
        self._lock = RLock()
        try:
            self._rows = Rows(folder, _NAME, dimensions)
        except OSError as problem:
            raise StoreProblem(
                f"The folder of imported vectors, {folder}, cannot be used: {problem}."
            ) from problem
        self._hidden: dict[View, set[str]] = {view: self._covered(view) for view in VIEWS}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def notes(self) -> tuple[Note, ...]:
        return self._own.notes

    @property
    def mark(self) -> str:
        return self._own.mark

    def set_mark(self, mark: str) -> None:
        self._own.set_mark(mark)

    def close(self) -> None:
        self._own.close()

    def add_imported(self, items: Sequence[ImportedVector], vectors: Matrix) -> None:
        if vectors.shape != (len(items), self._dimensions):
            raise InvalidInput(
                f"{len(items)} entries came with vectors of the shape {vectors.shape}."
            )
        with self._lock:
            self._own.remove([item.key for item in items])
            self._rows.append(
                [Row(str(item.key), item.family, _PARTED.join(item.prints)) for item in items],
                vectors,
            )
            self._rows.save(_NAME)
            for hidden in self._hidden.values():
                hidden.difference_update(str(item.key) for item in items)

    def published(self) -> dict[AdapterKey, tuple[str, ...]]:
        """Keys with imported vectors, and per view the fingerprint of the encoder's own."""
        return {AdapterKey.parse(key): prints for key, prints in self._prints().items()}

    def fingerprints(self, view: View) -> Mapping[AdapterKey, str]:
        place = VIEWS.index(view)
        with self._lock:
            hidden = self._hidden[view]
            published = {
                AdapterKey.parse(key): parts[place]
                for key, parts in self._prints().items()
                if key not in hidden
            }
        return {**self._own.fingerprints(view), **published}

    def write(self, items: Sequence[VectorItem], vectors: Matrix) -> None:
        self._own.write(items, vectors)
        with self._lock:
            for item in items:
                self._hidden[item.view].add(str(item.key))

    def remove(self, keys: Iterable[AdapterKey]) -> None:
        gone = list(keys)
        self._own.remove(gone)
        names = [str(key) for key in gone]
        with self._lock:
            self._rows.drop(names)
            if not self._rows.revision:
                self._rows.save(_NAME)
            for hidden in self._hidden.values():
                hidden.difference_update(names)

    def search(
        self, view: View, queries: Matrix, top: int, families: frozenset[str] | None = None
    ) -> list[list[Hit]]:
        found = self._own.search(view, queries, top, families)
        snapshot = self._seen(view)
        if not len(snapshot.vectors) or not self._fits(queries):
            return found
        published = exact.nearest(snapshot, queries, top, families)
        merged = []
        for mine, others in zip(found, published, strict=True):
            hits = [*mine, *(Hit(AdapterKey.parse(key), cosine) for key, cosine in others)]
            merged.append(sorted(hits, key=lambda hit: (-hit.cosine, str(hit.key)))[: max(top, 0)])
        return merged

    def vector(self, view: View, key: AdapterKey) -> Matrix | None:
        own = self._own.vector(view, key)
        if own is not None:
            return own
        vectors, rows = self._rows.locate([str(key)])
        return None if rows[0] < 0 else vectors[rows]

    def cosines(self, view: View, queries: Matrix, keys: Sequence[AdapterKey]) -> Matrix:
        found = self._own.cosines(view, queries, keys)
        names = [str(key) for key in keys]
        vectors, rows = self._rows.locate(names)
        if not len(vectors) or not self._fits(queries):
            return found
        with self._lock:
            published = (rows >= 0) & np.array(
                [name not in self._hidden[view] for name in names], dtype=np.bool_
            )
        found[:, published] = exact.cosines(
            vectors, np.ascontiguousarray(queries, dtype=np.float32), rows[published]
        )
        return found

    def _fits(self, queries: Matrix) -> bool:
        """False for queries of another length, as from an encoder that never answered."""
        return queries.ndim > 1 and queries.shape[1] == self._dimensions

    def _prints(self) -> dict[str, tuple[str, ...]]:
        return {key: tuple(text.split(_PARTED)) for key, text in self._rows.fingerprints().items()}

    def _covered(self, view: View) -> set[str]:
        """Imported keys that have the encoder's own vector by now."""
        if not len(self._rows):
            return set()
        own = {str(key) for key in self._own.fingerprints(view)}
        return own & set(self._rows.fingerprints())

    def _seen(self, view: View) -> Snapshot:
        """Rows without those replaced by own vectors."""
        snapshot = self._rows.snapshot()
        with self._lock:
            hidden = list(self._hidden[view])
        if not hidden or not len(snapshot.vectors):
            return snapshot
        _, rows = self._rows.locate(hidden)
        alive = snapshot.alive.copy()
        alive[rows[rows >= 0]] = False
        return replace(snapshot, alive=alive)
