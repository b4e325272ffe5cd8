"""Entries in, their labels out: the folders their files lie in, their tags and their kind, as
arrays that a list can be held against.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from stylus_ext.backends.retrievers.postings import Ints, Offsets
from stylus_ext.core.description import Entry

FOLDER, TAG = "/", "#"
"""The first sign of a label says what it is."""

MOST_TAGS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """`codes[starts[i]:starts[i + 1]]` are the labels of row `i`, as places in `names`."""

    codes: Ints
    starts: Offsets
    names: tuple[str, ...]

    def of(self, row: int) -> Iterator[str]:
        return (
            self.names[code]
            for code in self.codes[self.starts[row] : self.starts[row + 1]].tolist()
        )

    def holders(self, wanted: Sequence[int]) -> NDArray[np.bool_]:
        """Which rows have one of these labels."""
        found = np.zeros(len(self.starts) - 1, dtype=bool)
        marked = np.zeros(len(self.names), dtype=bool)
        marked[list(wanted)] = True
        places = np.flatnonzero(marked[self.codes]) if len(self.codes) else np.zeros(0, np.int64)
        found[np.searchsorted(self.starts, places, side="right") - 1] = True
        return found


@dataclass(slots=True)
class LabelsBuilder:
    """Takes entries one by one, since all of them at once would not fit."""

    codes: array[int] = field(default_factory=lambda: array("i"))
    starts: array[int] = field(default_factory=lambda: array("q", [0]))
    names: dict[str, int] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        self.codes.extend(self.names.setdefault(name, len(self.names)) for name in labels_of(entry))
        self.starts.append(len(self.codes))

    def labels(self) -> Labels:
        return Labels(
            np.array(self.codes, dtype=np.int32),
            np.array(self.starts, dtype=np.int64),
            tuple(self.names),
        )


def joined(parts: Sequence[Labels]) -> Labels:
    """The labels of several segments as one, with one table of names."""
    names = {
        name: code
        for code, name in enumerate(dict.fromkeys(name for part in parts for name in part.names))
    }
    codes = [
        np.array([names[name] for name in part.names], dtype=np.int32)[part.codes]
        for part in parts
        if len(part.codes)
    ]
    lengths = [np.diff(part.starts) for part in parts]
    starts = np.concatenate(
        [np.zeros(1, np.int64), np.cumsum(np.concatenate([np.zeros(0, np.int64), *lengths]))]
    )
    return Labels(
        np.concatenate([np.zeros(0, np.int32), *codes]), starts.astype(np.int64), tuple(names)
    )


def labels_of(entry: Entry) -> tuple[str, ...]:
    """Each once: folders first, then what it is and its tags."""
    tags = (tag_label(tag) for tag in (entry.kind, *entry.card.tags[:MOST_TAGS]))
    return tuple(dict.fromkeys([*folders_of(entry), *(tag for tag in tags if tag != TAG)]))


def tag_label(tag: str) -> str:
    return TAG + " ".join(tag.replace("_", " ").casefold().split())


def folders_of(entry: Entry) -> Iterator[str]:
    """Where its files lie, relative to the LoRA folder, of which only the keys of its files know:
    `path:<relative>`.
    """
    keys = (entry.key, *entry.card.equivalents)
    relative = sorted((key.value for key in keys if key.scheme == "path"), key=len, reverse=True)
    for file in entry.files:
        path = "/" + file.path.replace("\\", "/").lstrip("/")
        known = next(
            (value for value in relative if path.endswith("/" + value)), PurePosixPath(path).name
        )
        folder = str(PurePosixPath(known).parent)
        yield FOLDER + ("" if folder == "." else folder.casefold())
