"""One view's vectors: an append-only float32 file and a log that assigns rows to keys.

A batch is valid once its log line is complete. Mapped files only grow; compaction writes a new
generation and switches a pointer, since Windows cannot replace a mapped file.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.ports import Matrix

logger = logging.getLogger(__name__)


def write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.part")
    with fresh.open("w", encoding="ascii") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, path)  # noqa: PTH105


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None if missing or invalid."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        logger.warning("%s cannot be read and is made anew.", path)
        return None
    return value if isinstance(value, dict) else None


def discard(path: Path) -> None:
    """Delete an unneeded file; one still mapped on Windows is deleted on a later opening."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        logger.debug("%s is still in use and stays for now.", path)


Batch = dict[str, list[str]]
"""`gone`: keys that lost their row. `keys`, `families`, `prints`: the rows added, in their order.
"""


class RowLog:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0

    def create(self, batch: Batch | None = None) -> None:
        self._path.write_bytes(b"")
        self._size = 0
        if batch:
            self.append(batch)

    def read(self) -> Iterator[Batch]:
        """Yield complete batches and truncate what a killed writer left."""
        log = self._path.read_bytes()
        for line in log.splitlines(keepends=True):
            batch = _checked(line)
            if batch is None:
                logger.info("The last batch of %s was not finished and is left out.", self._path)
                break
            self._size += len(line)
            yield batch
        if self._size < len(log):
            os.truncate(self._path, self._size)

    def append(self, batch: Batch) -> None:
        line = _line(batch)
        with self._path.open("r+b") as out:
            out.truncate(self._size)
            out.seek(self._size)
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
        self._size += len(line)


def _line(batch: Batch) -> bytes:
    text = json.dumps(batch, separators=(",", ":")).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _checked(line: bytes) -> Batch | None:
    total, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or total != b"%08x" % zlib.crc32(text):
        return None
    batch: Any = json.loads(text)
    return batch if isinstance(batch, dict) else None


_CHUNK = 8192
_FEW = 1000
"""Dead rows that are not worth a compaction."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A consistent state for searches, unaffected by later writes."""

    vectors: Matrix
    keys: Sequence[str]
    families: NDArray[np.int32]
    alive: NDArray[np.bool_]
    codes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """Owner, family and fingerprint of a row."""

    key: str
    family: str
    fingerprint: str


class Rows:
    """The rows of one view: one writer, any number of readers."""

    _vectors: Matrix

    def __init__(self, folder: Path, view: str, dimensions: int) -> None:
        self._folder, self._view, self._dimensions = folder, view, dimensions
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        pointer = read_json(folder / f"{view}.json") or {}
        generation = pointer.get("generation")
        self._clear(generation if isinstance(generation, int) else 0)
        self.found = self._generation > 0 and self._load()
        """False when there was nothing here, or nothing usable: then Chroma has to be asked."""
        if not self.found:
            self._clear(self._highest() + 1)
            self._begin(self._generation, [])
        self._sweep()

    def __len__(self) -> int:
        return len(self._row_of)

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(self._vectors, self._keys, self._families, self._alive, self._codes)

    def locate(self, keys: Sequence[str]) -> tuple[Matrix, NDArray[np.int64]]:
        """The matrix and the row of each key, -1 if absent."""
        with self._lock:
            return self._vectors, np.array(
                [self._row_of.get(key, -1) for key in keys], dtype=np.int64
            )

    def held(self, keys: Iterable[str]) -> list[str]:
        """Keys that have a row."""
        with self._lock:
            return [key for key in keys if key in self._row_of]

    def fingerprints(self) -> dict[str, str]:
        with self._lock:
            return {key: self._prints[row] for key, row in self._row_of.items()}

    def batches(self, keys: Sequence[str]) -> Iterator[tuple[list[Row], Matrix]]:
        """Yield rows with vectors of these keys in batches; keys without a row are left out."""
        with self._lock:
            names = list(self._codes)
            rows = [self._row_of[key] for key in keys if key in self._row_of]
            vectors, mine, families, prints = (
                self._vectors,
                self._keys,
                self._families,
                self._prints,
            )
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            yield (
                [Row(mine[row], names[int(families[row])], prints[row]) for row in part],
                vectors[part],
            )

    def append(self, rows: Sequence[Row], vectors: Matrix) -> None:
        if not rows:
            return
        at = len(self._vectors)
        with self._vector_file.open("r+b") as out:
            out.seek(at * self._dimensions * 4)
            out.write(np.ascontiguousarray(vectors, dtype="<f4").tobytes())
            out.flush()
            os.fsync(out.fileno())
        batch = _batch(rows)
        mapped = self._map(at + len(rows))
        self._log.append(batch)
        with self._lock:
            self._apply([batch])
            self._vectors = mapped
        self._compact_if_worth_it()

    def drop(self, keys: Sequence[str]) -> None:
        gone = [key for key in dict.fromkeys(keys) if key in self._row_of]
        if not gone:
            return
        batch: Batch = {"gone": gone}
        self._log.append(batch)
        with self._lock:
            self._apply([batch])
        self._compact_if_worth_it()

    def compact(self) -> None:
        """Write a new generation with live rows by key, then switch the pointer."""
        number, rows = self._generation + 1, self._begin(self._generation + 1, sorted(self._row_of))
        with self._lock:
            self._clear(number)
            self._apply(self._log.read())
            self._vectors = self._map(rows)
        self._sweep()

    @property
    def _vector_file(self) -> Path:
        return self._file(self._generation, "vectors")

    def _file(self, generation: int, kind: str) -> Path:
        return self._folder / f"{self._view}.{generation}.{kind}"

    def _clear(self, generation: int) -> None:
        self._generation = generation
        self._log = RowLog(self._file(generation, "rows"))
        self._keys: list[str] = []
        self._prints: list[str] = []
        self._row_of: dict[str, int] = {}
        self._codes: dict[str, int] = {}
        self._families = np.empty(0, dtype=np.int32)
        self._alive = np.empty(0, dtype=np.bool_)
        self._vectors = np.empty((0, self._dimensions), dtype=np.float32)

    def _begin(self, generation: int, keys: Sequence[str]) -> int:
        """Write a generation with the rows of these keys, then switch the pointer."""
        held: list[Row] = []
        with self._file(generation, "vectors").open("wb") as out:
            for rows, vectors in self.batches(keys):
                held += rows
                out.write(vectors.tobytes())
            out.flush()
            os.fsync(out.fileno())
        RowLog(self._file(generation, "rows")).create(_batch(held))
        write_json(self._folder / f"{self._view}.json", {"generation": generation})
        return len(held)

    def _load(self) -> bool:
        try:
            self._apply(self._log.read())
            whole = self._vector_file.stat().st_size >= len(self._keys) * self._dimensions * 4
        except (OSError, ValueError, LookupError, TypeError) as problem:
            logger.warning(
                "The matrix %s cannot be used and is made anew: %s", self._vector_file, problem
            )
            return False
        if whole:
            self._vectors = self._map(len(self._keys))
        else:
            logger.warning(
                "The matrix %s is shorter than its log says and is made anew.", self._vector_file
            )
        return whole

    def _apply(self, batches: Iterable[Batch]) -> None:
        """Build new arrays, so that existing snapshots stay unchanged."""
        codes: list[int] = []
        for batch in batches:
            for key in batch.get("gone", ()):
                del self._row_of[key]
            for row, key in enumerate(batch.get("keys", ()), start=len(self._keys)):
                self._row_of[key] = row
            self._keys.extend(batch.get("keys", ()))
            self._prints.extend(batch.get("prints", ()))
            codes += [
                self._codes.setdefault(family, len(self._codes))
                for family in batch.get("families", ())
            ]
        self._families = np.concatenate([self._families, np.array(codes, dtype=np.int32)])
        alive = np.zeros(len(self._keys), dtype=np.bool_)
        alive[np.fromiter(self._row_of.values(), dtype=np.int64, count=len(self._row_of))] = True
        self._alive = alive

    def _map(self, rows: int) -> Matrix:
        if not rows:
            return np.empty((0, self._dimensions), dtype=np.float32)
        return np.memmap(
            self._vector_file, dtype="<f4", mode="r", shape=(rows, self._dimensions)
        ).view(np.ndarray)

    def _compact_if_worth_it(self) -> None:
        dead = len(self._keys) - len(self._row_of)
        if dead > _FEW and dead > len(self._row_of) // 3:
            self.compact()

    def _highest(self) -> int:
        numbers = (path.name.split(".")[1] for path in self._folder.glob(f"{self._view}.*.*"))
        return max((int(number) for number in numbers if number.isdigit()), default=0)

    def _sweep(self) -> None:
        for path in self._folder.glob(f"{self._view}.*.*"):
            if path.name.split(".")[1] != str(self._generation):
                discard(path)


def _batch(rows: Sequence[Row]) -> Batch:
    return {
        "keys": [row.key for row in rows],
        "families": [row.family for row in rows],
        "prints": [row.fingerprint for row in rows],
    }
