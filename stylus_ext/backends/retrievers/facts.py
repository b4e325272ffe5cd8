"""Facts about entries that decide whether one may be found at all, as small arrays: family, flags,
model, popularity.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stylus_ext.backends.retrievers.quality import poor
from stylus_ext.core.description import Entry

NEVER, ALWAYS, NSFW, SLIDER, SPEED, UTILITY, WEAK, POOR, STYLE, SOMEBODY = (
    1 << bit for bit in range(10)
)
"""Flags of an entry. SOMEBODY: a character or a person."""


@dataclass(frozen=True, slots=True)
class Facts:
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

    def facts(self) -> Facts:
        return Facts(
            np.array(self.families, dtype=np.int32),
            np.array(self.flags, dtype=np.int32),
            np.array(self.models, dtype=np.int64),
            np.array(self.downloads, dtype=np.int64),
            tuple(self.names),
        )


def joined(parts: Sequence[Facts]) -> Facts:
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
    return Facts(
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
