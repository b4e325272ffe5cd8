"""A `VectorIndex` whose encoder did not answer yet, so that nobody knows how long its vectors are:
empty until somebody does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from stylus_ext.backends.vector_index.chroma_index import ChromaIndex
from stylus_ext.backends.vector_index.files import read_json
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.embedding import View
from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Hit, Matrix, VectorItem


class LateIndex:
    """`known` says the length without asking anybody, 0 as long as it is unknown; then `make` opens
    the real one.
    """

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
        """There are vectors, so their length is known."""
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
    """How long the vectors of this encoder were when it last answered; 0 where none are kept."""
    for place in sorted(folder.glob("*/about.json")):
        about = read_json(place) or {}
        length = about.get("dimensions")
        if about.get("embedder") == embedder and isinstance(length, int) and length > 0:
            return length
    return 0
