"""The vector index: Chroma stores, a matrix file beside it searches.

Every change is announced in `pending.json`, made in Chroma, then in the matrix. An announcement
found on opening names the keys to copy from Chroma again. Otherwise only the matrix is read, and
the first change compares both.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from threading import RLock

import numpy as np

from stylus_ext.catalogue.vectors import exact
from stylus_ext.catalogue.vectors.chroma import ChromaHome, HomeDamaged
from stylus_ext.catalogue.vectors.matrix import Row, Rows, discard, read_json, write_json
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS, View
from stylus_ext.core.errors import InvalidInput, Note, StoreProblem, Unavailable
from stylus_ext.core.ports import Hit, Matrix, VectorItem

logger = logging.getLogger(__name__)


_ANN_LEAST = 400
"""Asked of Chroma's index at least: what it ranks roughly, the matrix ranks exactly."""

_HEAVY = 40_000
"""Vectors from which on it pays to open Chroma anew for every round of writing: they take 3 KB each
in its memory.
"""


class ChromaIndex:
    """Vectors of one embedder; searches run beside a writer, writers wait for each other."""

    def __init__(
        self,
        folder: Path,
        embedder_name: str,
        dimensions: int,
        *,
        url: str = "",
        exact_below: int = 500_000,
    ) -> None:
        self._dimensions, self._exact_below = dimensions, exact_below
        self._lock = RLock()
        self._notes: list[Note] = []
        self._settled = False
        self._home = ChromaHome(folder / "chroma", url, _tag(embedder_name, str(dimensions)))
        self._own = folder / _tag(embedder_name, str(dimensions), url)
        try:
            self._rows: dict[View, Rows] = {
                view: Rows(self._own, view, dimensions) for view in VIEWS
            }
            if read_json(self._own / "about.json") is None:
                write_json(
                    self._own / "about.json",
                    {"embedder": embedder_name, "dimensions": dimensions, "chroma": url},
                )
        except OSError as problem:
            raise StoreProblem(
                f"The folder of the vectors, {folder}, cannot be used: {problem}."
            ) from problem
        if not all(rows.found for rows in self._rows.values()):
            discard(self._marked)
        self._mark = str((read_json(self._marked) or {}).get("mark", ""))
        self._open()

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was repaired since opening."""
        return tuple(self._notes)

    @property
    def mark(self) -> str:
        return self._mark

    def set_mark(self, mark: str) -> None:
        """Store the catalogue state after writing; a large Chroma index is unloaded then."""
        with self._lock:
            write_json(self._marked, {"mark": mark})
            self._mark = mark
            sizes = [len(rows) for rows in self._rows.values()]
            if sum(sizes) > _HEAVY and not any(self._by_chroma(view) for view in VIEWS):
                self.close()

    def close(self) -> None:
        with self._lock:
            self._home.close()
            self._settled = False

    def fingerprints(self, view: View) -> dict[AdapterKey, str]:
        return {
            AdapterKey.parse(key): printed
            for key, printed in self._rows[view].fingerprints().items()
        }

    def write(self, items: Sequence[VectorItem], vectors: Matrix) -> None:
        vectors = self._checked(vectors)
        if len(items) != len(vectors):
            raise InvalidInput(
                f"{len(items)} entries came with {len(vectors)} vectors; there must be one for"
                " each."
            )
        places = {(item.view, item.key): place for place, item in enumerate(items)}
        chosen = sorted((items[place].view, place) for place in places.values())
        by_view = {
            view: [place for _, place in group]
            for view, group in groupby(chosen, key=lambda pair: pair[0])
        }
        if not items:
            return
        with self._lock:
            self._settle()
            self._announce(
                {
                    view: [str(items[place].key) for place in places]
                    for view, places in by_view.items()
                }
            )
            for view, places_of_view in by_view.items():
                rows = [
                    Row(str(item.key), item.family, item.fingerprint)
                    for item in map(items.__getitem__, places_of_view)
                ]
                self._home.put(view, rows, vectors[places_of_view])
                self._rows[view].append(rows, vectors[places_of_view])
            self._done()

    def remove(self, keys: Iterable[AdapterKey]) -> None:
        wanted = sorted({str(key) for key in keys})
        with self._lock:
            gone = {view: self._rows[view].held(wanted) for view in VIEWS}
            if not any(gone.values()):
                return
            self._settle()
            self._announce(gone)
            for view, names in gone.items():
                self._home.delete(view, names)
                self._rows[view].drop(names)
            self._done()

    def search(
        self, view: View, queries: Matrix, top: int, families: frozenset[str] | None = None
    ) -> list[list[Hit]]:
        queries = self._checked(queries)
        if self._by_chroma(view) and top > 0 and families != frozenset():
            found = self._roughly(view, queries, top, families)
        else:
            found = exact.nearest(self._rows[view].snapshot(), queries, top, families)
        return [[Hit(AdapterKey.parse(key), cosine) for key, cosine in hits] for hits in found]

    def cosines(self, view: View, queries: Matrix, keys: Sequence[AdapterKey]) -> Matrix:
        vectors, rows = self._rows[view].locate([str(key) for key in keys])
        return exact.cosines(vectors, self._checked(queries), rows)

    @property
    def _marked(self) -> Path:
        return self._own / "mark.json"

    @property
    def _pending(self) -> Path:
        return self._own / "pending.json"

    def _by_chroma(self, view: View) -> bool:
        return len(self._rows[view]) >= max(1, self._exact_below)

    def _checked(self, vectors: Matrix) -> Matrix:
        matrix = np.ascontiguousarray(vectors, dtype=np.float32)
        if len(matrix) == 0:
            return np.empty((0, self._dimensions), dtype=np.float32)
        if matrix.shape != (len(matrix), self._dimensions):
            raise InvalidInput(
                f"Vectors must have {self._dimensions} numbers each; these have the shape"
                f" {matrix.shape}."
            )
        if not np.isfinite(matrix).all():
            raise InvalidInput(
                "A vector holds something that is not a number; the encoder that made it is broken."
            )
        return matrix

    def _roughly(
        self, view: View, queries: Matrix, top: int, families: frozenset[str] | None
    ) -> list[list[tuple[str, float]]]:
        """Search by Chroma's index, ranked by the matrix; by the matrix alone if Chroma fails."""
        rows = self._rows[view]
        try:
            with self._lock:
                self._settle()
            found = self._home.nearest(
                view, queries, min(max(2 * top, _ANN_LEAST), len(rows)), families
            )
        except (StoreProblem, Unavailable) as problem:
            logger.warning("The search goes over the whole matrix: %s", problem)
            return exact.nearest(rows.snapshot(), queries, top, families)
        snapshot, ranked = rows.snapshot(), []
        for query, keys in zip(queries, found, strict=True):
            _, places = rows.locate(keys)
            ranked.append(exact.ranked(snapshot, query, places[places >= 0], top))
        return ranked

    def _announce(self, keys: dict[View, list[str]]) -> None:
        self._settled = False
        write_json(self._pending, {str(view): names for view, names in keys.items()})

    def _done(self) -> None:
        discard(self._pending)
        self._settled = True

    def _open(self) -> None:
        if self._home.looks_damaged():
            self._start_anew("it is not a Chroma database")
        missing = not all(rows.found for rows in self._rows.values())
        if not self._pending.exists() and not (missing and self._home.exists):
            return
        try:
            self._settle()
        except Unavailable as problem:
            self._notes.append(
                Note(
                    "vectors_unavailable",
                    f"{problem} Until then the vectors on this machine are searched.",
                )
            )

    def _settle(self) -> None:
        """Open Chroma and bring the matrix in step with it."""
        if self._settled:
            return
        try:
            self._agree()
        except HomeDamaged as problem:
            logger.warning("%s", problem)
            self._start_anew(str(problem.__cause__))
            self._agree()
        self._done()

    def _agree(self) -> None:
        announced = read_json(self._pending) or {}
        for view, rows in self._rows.items():
            self._carry_over(view, [key for key in announced.get(view, ()) if isinstance(key, str)])
            if self._home.count(view) != len(rows):
                self._fill_gaps(view)

    def _carry_over(self, view: View, keys: Sequence[str]) -> None:
        """Copy the state of these keys from Chroma into the matrix."""
        missing = set(keys)
        for rows, vectors in self._home.fetch(view, keys):
            self._rows[view].append(rows, vectors)
            missing -= {row.key for row in rows}
        self._rows[view].drop(sorted(missing))

    def _fill_gaps(self, view: View) -> None:
        there, here = self._home.listing(view), self._rows[view].fingerprints()
        logger.info(
            "Chroma holds %d vectors of %s, the matrix %d: each gets what it lacks.",
            len(there),
            view,
            len(here),
        )
        for rows, vectors in self._rows[view].batches(sorted(here.keys() - there.keys())):
            self._home.put(view, rows, vectors)
        wanted = sorted(key for key, printed in there.items() if here.get(key) != printed)
        for rows, vectors in self._home.fetch(view, wanted):
            self._rows[view].append(rows, vectors)

    def _start_anew(self, why: str) -> None:
        aside = self._home.move_aside()
        discard(self._pending)
        left = (
            "They are restored from the copy beside it."
            if any(map(len, self._rows.values()))
            else "They are made anew."
        )
        self._notes.append(
            Note(
                "vectors_moved_aside",
                f"The vector database could not be read ({why}); it was moved to {aside}. {left}",
            )
        )


def _tag(*parts: str) -> str:
    return hashlib.sha256(
        "\0".join(part for part in parts if part).encode("utf-8", "surrogatepass")
    ).hexdigest()[:16]
