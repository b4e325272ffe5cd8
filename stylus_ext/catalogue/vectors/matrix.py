"""A rebuildable cache of one view's vectors: an append-only float32 file and a state file.

The state assigns rows to keys and is written when a round of changes is finished; rows appended
after it count as free space. Compaction writes another file: Windows cannot replace a mapped one.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.files import write_file
from stylus_ext.core.ports import Matrix

logger = logging.getLogger(__name__)

_CHUNK = 8192
_FEW = 1000
"""Dead rows that are not worth a compaction."""


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
    revision: str
    """The revision of the last `save`; empty after a change, or if there was no usable state."""

    def __init__(self, folder: Path, view: str, dimensions: int) -> None:
        self._folder, self._view, self._dimensions = folder, view, dimensions
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        state = _read_state(self._state_file) or _read_old_state(folder, view)
        if state is not None and self._has_vectors(state):
            self._use(folder / state["file"], state["keys"], state["families"], state["prints"])
            self.revision, self._saved = state["revision"], len(self._keys)
        else:
            self._use(self._new_file(), [], [], [])
        if not self.revision:
            self.save("")
        self._sweep()

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def unsaved(self) -> int:
        """Rows appended since the last `save`."""
        return len(self._keys) - self._saved

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(self._vectors, self._keys, self._families, self._alive, self._codes)

    def locate(self, keys: Sequence[str]) -> tuple[Matrix, NDArray[np.int64]]:
        """Vectors, and the row of each key; -1 where it has none."""
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
        """Yield rows with vectors of these keys in batches; only the writer calls this."""
        families = self._family_names()
        rows = [self._row_of[key] for key in keys if key in self._row_of]
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            yield (
                [Row(self._keys[row], families[row], self._prints[row]) for row in part],
                self._vectors[part],
            )

    def append(self, rows: Sequence[Row], vectors: Matrix) -> None:
        if not rows:
            return
        self.revision = ""
        with self._file.open("r+b") as out:
            out.seek(len(self._keys) * self._dimensions * 4)
            out.write(np.ascontiguousarray(vectors, dtype="<f4").tobytes())
        mapped = self._map(len(self._keys) + len(rows))
        with self._lock:
            self._add(*_columns(rows))
            self._vectors = mapped

    def drop(self, keys: Iterable[str]) -> None:
        gone = self.held(dict.fromkeys(keys))
        if not gone:
            return
        self.revision = ""
        with self._lock:
            for key in gone:
                del self._row_of[key]
            self._alive = self._with_keys()

    def save(self, revision: str) -> None:
        """Write the state; first compact the vectors if many rows are dead."""
        dead = len(self._keys) - len(self._row_of)
        if dead > _FEW and dead > len(self._row_of) // 3:
            self.compact()
        with self._file.open("r+b") as out:
            os.fsync(out.fileno())
        alive = zip(self._keys, self._alive.tolist(), strict=True)
        state = {
            "revision": revision,
            "file": self._file.name,
            "keys": [key if kept else "" for key, kept in alive],
            "families": self._family_names(),
            "prints": self._prints,
        }
        text = json.dumps(state, separators=(",", ":")).encode("ascii")
        write_file(self._state_file, _checksum(text) + text, durable=True)
        self.revision, self._saved = revision, len(self._keys)
        self._sweep()

    def _family_names(self) -> list[str]:
        names = list(self._codes)
        return [names[code] for code in self._families.tolist()]

    @property
    def _state_file(self) -> Path:
        return self._folder / f"{self._view}.state"

    def _new_file(self) -> Path:
        file = self._folder / f"{self._view}.{secrets.token_hex(4)}.vectors"
        file.touch()
        return file

    def _has_vectors(self, state: dict[str, Any]) -> bool:
        file = self._folder / state["file"]
        whole = len(state["keys"]) * self._dimensions * 4
        if file.exists() and file.stat().st_size >= whole:
            return True
        logger.warning("%s is shorter than its state says and is made anew.", file)
        return False

    def _use(self, file: Path, keys: list[str], families: list[str], prints: list[str]) -> None:
        """Use this file, whose rows these are."""
        self._file, self.revision, self._saved = file, "", 0
        self._keys: list[str] = []
        self._prints: list[str] = []
        self._row_of: dict[str, int] = {}
        self._codes: dict[str, int] = {}
        self._families = np.empty(0, dtype=np.int32)
        self._add(keys, families, prints)
        self._vectors = self._map(len(keys))

    def _add(self, keys: Sequence[str], families: Sequence[str], prints: Sequence[str]) -> None:
        """Build new arrays, so that snapshots stay unchanged; a row without key is dead."""
        places = enumerate(keys, start=len(self._keys))
        self._row_of.update((key, row) for row, key in places if key)
        self._keys.extend(keys)
        self._prints.extend(prints)
        codes = [self._codes.setdefault(family, len(self._codes)) for family in families]
        self._families = np.concatenate([self._families, np.array(codes, dtype=np.int32)])
        self._alive = self._with_keys()

    def _with_keys(self) -> NDArray[np.bool_]:
        """Which rows belong to a key."""
        alive = np.zeros(len(self._keys), dtype=np.bool_)
        alive[list(self._row_of.values())] = True
        return alive

    def _map(self, rows: int) -> Matrix:
        if not rows:
            return np.empty((0, self._dimensions), dtype=np.float32)
        return np.memmap(self._file, dtype="<f4", mode="r", shape=(rows, self._dimensions)).view(
            np.ndarray
        )

    def compact(self) -> None:
        """Switch to a new file with only the live rows, sorted by key."""
        file, kept = self._new_file(), list[Row]()
        with file.open("wb") as out:
            for rows, vectors in self.batches(sorted(self._row_of)):
                kept += rows
                out.write(vectors.tobytes())
        with self._lock:
            self._use(file, *_columns(kept))

    def _sweep(self) -> None:
        """Delete files of this view that the state does not name."""
        for pattern in (f"{self._view}.*", f".{self._view}.state.*"):
            for path in self._folder.glob(pattern):
                if path not in (self._state_file, self._file):
                    discard(path)


def _columns(rows: Sequence[Row]) -> tuple[list[str], list[str], list[str]]:
    return (
        [row.key for row in rows],
        [row.family for row in rows],
        [row.fingerprint for row in rows],
    )


def _checksum(text: bytes) -> bytes:
    return b"%08x " % zlib.crc32(text)


def _read_state(path: Path) -> dict[str, Any] | None:
    """The state as saved; None if missing or damaged."""
    if not path.exists():
        return None
    content = path.read_bytes()
    if content[:9] != _checksum(content[9:]):
        logger.warning("%s is damaged and is made anew.", path)
        return None
    state: dict[str, Any] = json.loads(content[9:])
    return state


def _read_old_state(folder: Path, view: str) -> dict[str, Any] | None:
    """The state in the format of 0.1.0: a pointer, and a log of batches with checksums."""
    number = (read_json(folder / f"{view}.json") or {}).get("generation")
    log = folder / f"{view}.{number}.rows"
    if not log.exists():
        return None
    columns: dict[str, list[str]] = {"keys": [], "families": [], "prints": []}
    for line in log.read_bytes().splitlines():
        if line[:9] != _checksum(line[9:]):
            break
        batch = json.loads(line[9:])
        if gone := set(batch.get("gone", ())):
            columns["keys"] = ["" if key in gone else key for key in columns["keys"]]
        for name in columns:
            columns[name] += batch.get(name, ())
    return {"revision": "", "file": f"{view}.{number}.vectors", **columns}
