"""The vector index: Chroma stores the vectors, a cache beside it searches them.

A round of changes begins with a new revision in `mark.json` and ends when the cache is saved with
it. A cache of another revision is compared with Chroma when it is opened, and takes what differs.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import RLock
from uuid import uuid4

import numpy as np

from stylus_ext.catalogue.vectors import exact
from stylus_ext.catalogue.vectors.chroma import ChromaHome, HomeDamaged
from stylus_ext.catalogue.vectors.matrix import Row, Rows, discard, read_json
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS, View
from stylus_ext.core.errors import InvalidInput, Note, StoreProblem, Unavailable
from stylus_ext.core.files import write_file
from stylus_ext.core.ports import Hit, Matrix, VectorItem

logger = logging.getLogger(__name__)


_ANN_LEAST = 400
"""Fewest results requested of Chroma: what it ranks roughly, the matrix ranks exactly."""

_HEAVY = 40_000
"""Vectors from which on it pays to open Chroma anew for every round of writing: they take 3 KB each
in its memory.
"""

_UNSAVED = 20_000
"""New vectors after which the cache is saved: what a killed process would have to fetch again."""


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
        self._in_step = False
        names = (embedder_name, str(dimensions))
        self._home = ChromaHome(folder / "chroma", url, storage_name(*names))
        self._own = folder / storage_name(*names, url)
        try:
            self._rows: dict[View, Rows] = {
                view: Rows(self._own, view, dimensions) for view in VIEWS
            }
            if read_json(self._own / "about.json") is None:
                about = {"embedder": embedder_name, "dimensions": dimensions, "chroma": url}
                write_file(self._own / "about.json", json.dumps(about), durable=True)
        except OSError as problem:
            raise StoreProblem(
                f"The folder of the vectors, {folder}, cannot be used: {problem}."
            ) from problem
        marked = read_json(self._marked) or {}
        usable = all(rows.revision for rows in self._rows.values())
        self._mark = str(marked.get("mark", "")) if usable else ""
        self._revision = str(marked.get("revision") or uuid4().hex)
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
            self._mark = mark
            self._save()
            sizes = [len(rows) for rows in self._rows.values()]
            if sum(sizes) > _HEAVY and not any(self._by_chroma(view) for view in VIEWS):
                self.close()

    def close(self) -> None:
        with self._lock:
            if self._differing():
                self._save()
            self._home.close()
            self._in_step = False

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
        if not items:
            return
        places: dict[View, dict[AdapterKey, int]] = {}
        for place, item in enumerate(items):
            places.setdefault(item.view, {})[item.key] = place
        with self._lock:
            self._begin_change()
            for view, by_key in places.items():
                rows = [
                    Row(str(key), items[place].family, items[place].fingerprint)
                    for key, place in by_key.items()
                ]
                chosen = vectors[list(by_key.values())]
                self._home.put(view, rows, chosen)
                self._rows[view].append(rows, chosen)
            self._in_step = True
            if sum(rows.unsaved for rows in self._rows.values()) > _UNSAVED:
                self._save()

    def remove(self, keys: Iterable[AdapterKey]) -> None:
        wanted = sorted({str(key) for key in keys})
        with self._lock:
            gone = {view: self._rows[view].held(wanted) for view in VIEWS}
            if not any(gone.values()):
                return
            self._begin_change()
            for view, names in gone.items():
                self._home.delete(view, names)
                self._rows[view].drop(names)
            self._in_step = True

    def search(
        self, view: View, queries: Matrix, top: int, families: frozenset[str] | None = None
    ) -> list[list[Hit]]:
        queries = self._checked(queries)
        if self._by_chroma(view) and top > 0 and families != frozenset():
            found = self._roughly(view, queries, top, families)
        else:
            found = exact.nearest(self._rows[view].snapshot(), queries, top, families)
        return [[Hit(AdapterKey.parse(key), cosine) for key, cosine in hits] for hits in found]

    def vector(self, view: View, key: AdapterKey) -> Matrix | None:
        vectors, rows = self._rows[view].locate([str(key)])
        return None if rows[0] < 0 else vectors[rows]

    def cosines(self, view: View, queries: Matrix, keys: Sequence[AdapterKey]) -> Matrix:
        vectors, rows = self._rows[view].locate([str(key) for key in keys])
        return exact.cosines(vectors, self._checked(queries), rows)

    @property
    def _marked(self) -> Path:
        return self._own / "mark.json"

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
                self._bring_in_step()
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

    def _begin_change(self) -> None:
        """Begin a round unless one is under way; not in step until the change is made."""
        self._bring_in_step()
        if not self._differing():
            self._revision = uuid4().hex
            self._write_mark()
        self._in_step = False

    def _differing(self) -> list[View]:
        """Views whose saved state is not of this revision."""
        return [view for view, rows in self._rows.items() if rows.revision != self._revision]

    def _save(self) -> None:
        """Finish the round, unless a change in it failed."""
        if self._in_step or not self._home.exists:
            for view in self._differing():
                self._rows[view].save(self._revision)
        self._write_mark()

    def _write_mark(self) -> None:
        content = json.dumps({"revision": self._revision, "mark": self._mark})
        write_file(self._marked, content, durable=True)

    def _open(self) -> None:
        if self._home.looks_damaged():
            self._start_anew("it is not a Chroma database")
        discard(self._own / "pending.json")  # of 0.1.0
        if not self._differing() or not self._home.exists:
            return
        try:
            self._bring_in_step()
        except Unavailable as problem:
            text = f"{problem} Until then the vectors on this machine are searched."
            self._notes.append(Note("vectors_unavailable", text))

    def _bring_in_step(self) -> None:
        """Open Chroma and bring the cache in step with it."""
        if self._in_step:
            return
        try:
            self._compare_views()
        except HomeDamaged as problem:
            logger.warning("%s", problem)
            self._start_anew(str(problem.__cause__))
            self._compare_views()
        self._in_step = True
        if self._differing():
            self._save()

    def _compare_views(self) -> None:
        if not self._home.exists:
            self._save()  # the cache is all there is
        for view, rows in self._rows.items():
            if rows.revision != self._revision:
                self._compare(view)
            elif self._home.count(view) != len(rows):
                self._compare(view, restore=True)

    def _compare(self, view: View, *, restore: bool = False) -> None:
        """Take from Chroma what differs, and give back or drop what Chroma lacks."""
        rows = self._rows[view]
        there, here = self._home.listing(view), rows.fingerprints()
        logger.info("Chroma holds %d vectors of %s, the cache %d.", len(there), view, len(here))
        extra = sorted(here.keys() - there.keys())
        if restore:
            for page, vectors in rows.batches(extra):
                self._home.put(view, page, vectors)
        else:
            rows.drop(extra)
        wanted = sorted(key for key, printed in there.items() if here.get(key) != printed)
        for page, vectors in self._home.fetch(view, wanted):
            rows.append(page, vectors)

    def _start_anew(self, why: str) -> None:
        aside = self._home.move_aside()
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


def storage_name(*parts: str) -> str:
    """Name of what is stored for one embedder and width: a collection, a cache folder."""
    return hashlib.sha256(
        "\0".join(part for part in parts if part).encode("utf-8", "surrogatepass")
    ).hexdigest()[:16]
