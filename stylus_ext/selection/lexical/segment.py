"""Segments of the lexical index: sparse matrices over some entries, built once, never changed.

Three matrices have one column per word: `card` (BM25F impacts, one row per entry), `examples` (one
row per example prompt) and `phrases` (one row per name or trigger). Impacts are without idf, which
depends on all segments and is applied at query time.
"""

from __future__ import annotations

import json
import os
import shutil
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from stylus_ext.core.entry import Entry
from stylus_ext.core.prompt.words import (
    content_words,
    entry_names,
    split_compounds,
    trigger_phrases,
)
from stylus_ext.selection.lexical.attributes import flags_of, labels_of

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Offsets = NDArray[np.int64]
Sparse = Any
"""A `scipy.sparse.csc_array`; scipy has no type hints."""

FIELDS = ("name", "triggers", "tags", "text")
FIELD_WEIGHTS = np.array([3.0, 2.0, 2.0, 0.5], dtype=np.float32)
"""Found in a study of real cards."""

LENGTH = 0.5
"""How much the length of a field lowers its impact, 0 to 1."""

SATURATION = 1.2
MAX_EXAMPLES = 6
MAX_WORDS = 250


@dataclass(frozen=True, slots=True)
class IndexSegment:
    """`example_starts[i]:example_starts[i + 1]` are the examples of entry `i`; `phrase_rows` names
    the entry of each phrase; `labels` has one row per entry and one column per label.
    """

    keys: tuple[str, ...]
    vocabulary: dict[str, int]
    label_columns: dict[str, int]
    card: Sparse
    examples: Sparse
    phrases: Sparse
    labels: Sparse
    example_starts: Offsets
    phrase_rows: Ints
    phrase_lengths: Ints
    phrase_kinds: Ints
    frequency: Ints
    """Entries that have the word in the card or in an example."""
    flags: Ints
    downloads: Offsets


_MATRICES = ("card", "examples", "phrases", "labels")
_MATRIX_PARTS = ("data", "indices", "indptr")
_ARRAYS = (
    "example_starts",
    "phrase_rows",
    "phrase_lengths",
    "phrase_kinds",
    "frequency",
    "flags",
    "downloads",
)


def _ints() -> array[int]:
    return array("i")


@dataclass(slots=True)
class _Cells:
    """Row, column and field of every word found, in compact arrays."""

    rows: array[int] = field(default_factory=_ints)
    columns: array[int] = field(default_factory=_ints)
    fields: array[int] = field(default_factory=_ints)

    def add(self, row: int, columns: Sequence[int], field_number: int = 0) -> None:
        self.rows.extend([row] * len(columns))
        self.columns.extend(columns)
        self.fields.extend([field_number] * len(columns))

    def arrays(self) -> tuple[Ints, Ints, Ints]:
        rows, columns, fields = (
            np.array(part, dtype=np.int32) for part in (self.rows, self.columns, self.fields)
        )
        return rows, columns, fields


@dataclass(slots=True)
class _Builder:
    """Takes entries one at a time, since all of them together would not fit into memory."""

    keys: list[str] = field(default_factory=list)
    vocabulary: dict[str, int] = field(default_factory=dict)
    label_columns: dict[str, int] = field(default_factory=dict)
    card: _Cells = field(default_factory=_Cells)
    examples: _Cells = field(default_factory=_Cells)
    phrases: _Cells = field(default_factory=_Cells)
    labels: _Cells = field(default_factory=_Cells)
    example_starts: array[int] = field(default_factory=lambda: array("q", [0]))
    phrase_rows: array[int] = field(default_factory=_ints)
    phrase_lengths: array[int] = field(default_factory=_ints)
    phrase_kinds: array[int] = field(default_factory=_ints)
    flags: array[int] = field(default_factory=_ints)
    downloads: array[int] = field(default_factory=lambda: array("q"))

    def columns(self, words: Sequence[str]) -> list[int]:
        known = self.vocabulary
        return [known.setdefault(word, len(known)) for word in words[:MAX_WORDS]]

    def add(self, entry: Entry) -> None:
        card, row, known = entry.card, len(self.keys), self.label_columns
        self.keys.append(str(entry.key))
        self.flags.append(flags_of(entry))
        self.downloads.append(card.downloads or 0)
        self.labels.add(row, [known.setdefault(name, len(known)) for name in labels_of(entry)])
        texts = (
            f"{card.name} {split_compounds(card.name)}",
            ", ".join((*entry.triggers, *map(split_compounds, entry.triggers))),
            ", ".join(card.tags),
            entry.text,
        )
        for number, text in enumerate(texts):
            self.card.add(row, self.columns(content_words(text)), number)
        example = self.example_starts[-1]
        for prompt in dict.fromkeys(shown.prompt for shown in card.examples[:MAX_EXAMPLES]):
            words = list(dict.fromkeys(content_words(prompt)))
            self.examples.add(example, self.columns(words), row)
            example += 1
        self.example_starts.append(example)
        for kind, phrases in enumerate((entry_names(entry), trigger_phrases(entry))):
            for phrase in phrases:
                self.phrases.add(len(self.phrase_rows), self.columns(phrase))
                self.phrase_rows.append(row)
                self.phrase_lengths.append(len(phrase))
                self.phrase_kinds.append(kind)


def build(entries: Iterable[Entry]) -> IndexSegment:
    built = _Builder()
    for entry in entries:
        built.add(entry)
    size, words, labels = len(built.keys), len(built.vocabulary), len(built.label_columns)
    phrase_numbers, phrase_words, _ = built.phrases.arrays()
    rows, label_numbers, _ = built.labels.arrays()
    return IndexSegment(
        keys=tuple(built.keys),
        vocabulary=built.vocabulary,
        label_columns=built.label_columns,
        card=_card_matrix(built.card, (size, words)),
        examples=_example_matrix(built.examples, (built.example_starts[-1], words)),
        phrases=_matrix(
            phrase_numbers,
            phrase_words,
            np.ones(len(phrase_words), np.float32),
            (len(built.phrase_rows), words),
        ),
        labels=_matrix(rows, label_numbers, np.ones(len(rows), np.float32), (size, labels)),
        example_starts=np.array(built.example_starts, dtype=np.int64),
        phrase_rows=np.array(built.phrase_rows, dtype=np.int32),
        phrase_lengths=np.array(built.phrase_lengths, dtype=np.int32),
        phrase_kinds=np.array(built.phrase_kinds, dtype=np.int32),
        frequency=_frequency(built, size, words),
        flags=np.array(built.flags, dtype=np.int32),
        downloads=np.array(built.downloads, dtype=np.int64),
    )


def _matrix(rows: Ints, columns: Ints, values: Floats, shape: tuple[int, int]) -> Sparse:
    """Values of the same cell are added in the order in which they were found.

    scipy would add them in another order: rounding then differs, and with it close rankings.
    """
    order = np.lexsort((rows, columns))
    rows, columns, values = rows[order], columns[order], values[order]
    starts = np.flatnonzero((np.diff(rows, prepend=-1) != 0) | (np.diff(columns, prepend=-1) != 0))
    if len(starts):
        values = np.add.reduceat(values, starts).astype(np.float32)
    offsets = np.zeros(shape[1] + 1, dtype=np.int64)
    np.cumsum(np.bincount(columns[starts], minlength=shape[1]), out=offsets[1:])
    return _csc(values, rows[starts], offsets, shape)


def _csc(values: Floats, rows: Ints, offsets: Offsets, shape: tuple[int, int]) -> Sparse:
    """Rows must ascend within a column. The arrays are not copied: they may be memory-mapped."""
    matrix = csc_array((values, rows, offsets), shape=shape)
    matrix.has_canonical_format = True  # or scipy reads the whole matrix to find out
    return matrix


def _card_matrix(cells: _Cells, shape: tuple[int, int]) -> Sparse:
    """BM25F: field weight times count, divided by the length of the field, then saturated."""
    rows, words, fields = cells.arrays()
    cell_numbers = rows.astype(np.int64) * len(FIELDS) + fields
    lengths = np.bincount(cell_numbers, minlength=shape[0] * len(FIELDS)).astype(np.float32)
    lengths = lengths.reshape(-1, len(FIELDS))
    mean = np.maximum(lengths.mean(axis=0) if shape[0] else np.ones(len(FIELDS), np.float32), 1.0)
    norm = FIELD_WEIGHTS / (1.0 - LENGTH + LENGTH * lengths / mean)
    return _saturated(_matrix(rows, words, norm[rows, fields].astype(np.float32), shape))


def _example_matrix(cells: _Cells, shape: tuple[int, int]) -> Sparse:
    rows, words, _ = cells.arrays()
    lengths = np.bincount(rows, minlength=shape[0]).astype(np.float32)
    mean = max(1.0, float(lengths.mean())) if shape[0] else 1.0
    norm = 1.0 / (1.0 - LENGTH + LENGTH * lengths / mean)
    return _saturated(_matrix(rows, words, norm[rows].astype(np.float32), shape))


def _saturated(matrix: Sparse) -> Sparse:
    counts = matrix.data
    matrix.data = (
        counts * np.float32(1.0 + SATURATION) / (counts + np.float32(SATURATION))
    ).astype(np.float32)
    return matrix


def _frequency(built: _Builder, size: int, words: int) -> Ints:
    rows, card_words, _ = built.card.arrays()
    _, example_words, example_rows = built.examples.arrays()
    # A word and an entry as one number, which needs 64 bits in a big catalogue.
    pairs = np.concatenate([card_words, example_words]).astype(np.int64) * max(
        size, 1
    ) + np.concatenate([rows, example_rows])
    return np.bincount(np.unique(pairs) // max(size, 1), minlength=words).astype(np.int32)


FORMAT = 10


def save(segment: IndexSegment, folder: Path) -> None:
    """`folder` appears complete or not at all; a killed writer leaves only a hidden folder."""
    for left in folder.parent.glob(".lexical-*"):  # only one process writes here
        shutil.rmtree(left, ignore_errors=True)
    part, old = (
        folder.with_name(f".{folder.name}.{os.getpid()}.{what}") for what in ("part", "old")
    )
    part.mkdir(parents=True)
    for name in _MATRICES:
        for piece in _MATRIX_PARTS:
            np.save(part / f"{name}.{piece}.npy", getattr(getattr(segment, name), piece))
    for name in _ARRAYS:
        np.save(part / f"{name}.npy", getattr(segment, name))
    about = {
        "format": FORMAT,
        "keys": segment.keys,
        "vocabulary": list(segment.vocabulary),
        "labels": list(segment.label_columns),
    }
    (part / "segment.json").write_text(json.dumps(about), encoding="ascii")
    if folder.exists():
        folder.replace(old)
    part.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path) -> IndexSegment | None:
    """None if there is no complete segment of this format; it is then rebuilt from the store."""
    try:
        about = json.loads((folder / "segment.json").read_text(encoding="ascii"))
        if about["format"] != FORMAT:
            return None
        arrays: dict[str, Any] = {name: _mapped(folder / f"{name}.npy") for name in _ARRAYS}
        keys, words, labels = about["keys"], about["vocabulary"], about["labels"]
        shapes = (
            (len(keys), len(words)),
            (int(arrays["example_starts"][-1]), len(words)),
            (len(arrays["phrase_rows"]), len(words)),
            (len(keys), len(labels)),
        )
        matrices: dict[str, Any] = {}
        for name, shape in zip(_MATRICES, shapes, strict=True):
            values, rows, offsets = (
                _mapped(folder / f"{name}.{part}.npy") for part in _MATRIX_PARTS
            )
            matrices[name] = _csc(values, rows, offsets, shape)
        segment = IndexSegment(
            keys=tuple(keys),
            vocabulary={word: column for column, word in enumerate(words)},
            label_columns={label: column for column, label in enumerate(labels)},
            **matrices,
            **arrays,
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return segment if _is_complete(segment) else None


def _mapped(path: Path) -> Any:
    """A memory-mapped array; an empty one cannot be mapped."""
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    return found if found.size else np.array(found)


def _is_complete(segment: IndexSegment) -> bool:
    """Whether the arrays belong together; scipy has checked the matrices."""
    size = len(segment.keys)
    return (
        len(segment.flags) == len(segment.downloads) == size
        and len(segment.example_starts) == size + 1
        and len(segment.phrase_rows) == len(segment.phrase_lengths) == len(segment.phrase_kinds)
        and len(segment.frequency) == len(segment.vocabulary)
    )
