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

from stylus_ext.core.entry import Entry
from stylus_ext.selection.lexical.postings import Ints, Offsets

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


def joined_labels(parts: Sequence[Labels]) -> Labels:
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


FEWEST_IMAGES = 3
"""Cards with fewer example images, where images are known, are left out, as the paper does."""

POOR_RATING = 0.7
"""Share of the votes that are for it. Nearly all adapters have nine tenths and more."""

_LEFT_OUT = ("table rpg",)
"""Names that the paper's code leaves out, besides sliders, of which `demands` speaks."""


def poor(entry: Entry) -> str:
    """Why an entry is not good enough to be proposed; empty where nothing is known against it."""
    card = entry.card
    if entry.files:
        return ""
    if card.images is not None and card.images < FEWEST_IMAGES:
        return f"its page has fewer than {FEWEST_IMAGES} example images, and it is not on disk"
    if card.rating is not None and card.rating < POOR_RATING:
        return f"only {card.rating:.0%} of those who rated it like it, and it is not on disk"
    if any(name in card.name.casefold() for name in _LEFT_OUT):
        return "the paper leaves adapters of that name out, and it is not on disk"
    return ""


NEVER, ALWAYS, NSFW, SLIDER, SPEED, UTILITY, WEAK, POOR, STYLE, SOMEBODY = (
    1 << bit for bit in range(10)
)
"""Flags of an entry. SOMEBODY: a character or a person."""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """One line an entry; `families` are codes into `family_names`."""

    families: NDArray[np.int32]
    flags: NDArray[np.int32]
    models: NDArray[np.int64]
    downloads: NDArray[np.int64]
    family_names: tuple[str, ...]

    def of_families(self, wanted: frozenset[str]) -> NDArray[np.bool_]:
        codes = [code for code, name in enumerate(self.family_names) if name in wanted]
        return np.isin(self.families, np.array(codes, dtype=np.int32))

    def has(self, flag: int) -> NDArray[np.bool_]:
        return np.not_equal(self.flags & flag, 0)


@dataclass(slots=True)
class FactsBuilder:
    """Takes entries one by one, since all of them at once would not fit."""

    families: array[int] = field(default_factory=lambda: array("i"))
    flags: array[int] = field(default_factory=lambda: array("i"))
    models: array[int] = field(default_factory=lambda: array("q"))
    downloads: array[int] = field(default_factory=lambda: array("q"))
    names: dict[str, int] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        self.families.append(self.names.setdefault(entry.family, len(self.names)))
        self.flags.append(flags_of(entry))
        self.models.append(entry.card.model_id or 0)
        self.downloads.append(entry.card.downloads or 0)

    def facts(self) -> EntryFacts:
        return EntryFacts(
            np.array(self.families, dtype=np.int32),
            np.array(self.flags, dtype=np.int32),
            np.array(self.models, dtype=np.int64),
            np.array(self.downloads, dtype=np.int64),
            tuple(self.names),
        )


def joined_facts(parts: Sequence[EntryFacts]) -> EntryFacts:
    """The facts of several segments as one, with one table of family names."""
    names = {
        name: code
        for code, name in enumerate(
            dict.fromkeys(name for part in parts for name in part.family_names)
        )
    }
    codes = [
        np.array([names[name] for name in part.family_names], dtype=np.int32)[part.families]
        for part in parts
    ]
    return EntryFacts(
        np.concatenate([np.zeros(0, np.int32), *codes]),
        np.concatenate([np.zeros(0, np.int32), *(part.flags for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.models for part in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(part.downloads for part in parts)]),
        tuple(names),
    )


def flags_of(entry: Entry) -> int:
    card, said, state = entry.card, entry.description, entry.edits.state
    marks = (
        (NEVER, state == "never"),
        (ALWAYS, state == "always"),
        (NSFW, card.nsfw),
        (SLIDER, said.slider),
        (SPEED, said.speed),
        (UTILITY, said.utility),
        (WEAK, card.weak),
        (POOR, bool(poor(entry))),
        (STYLE, entry.kind == "style"),
        (SOMEBODY, entry.kind in {"character", "person"}),
    )
    return sum(flag for flag, holds in marks if holds)
