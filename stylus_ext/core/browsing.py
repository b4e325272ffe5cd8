"""Looking through the catalogue as a whole: how many of each there are, for whoever filters it or
sees it for the first time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of entries; `families` says of each how many there are, and how many of those are on
    disk.
    """

    entries: int
    on_disk: int
    families: Mapping[str, tuple[int, int]]
    kinds: Mapping[str, int]
    states: Mapping[str, int]
    refined: int
    bare: int
    """On disk, and hardly anything is stated about them."""
    duplicates: int
    """Files that lie there a second time."""
    unnamed: int
    """Files whose adapter no service has named."""


class Tallies(Protocol):
    """Counts the catalogue."""

    def tally(self) -> Tally: ...
