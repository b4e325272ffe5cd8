"""Selection in small libraries, drawn from the catalogue: what most users have on disk.

Each library is a catalogue of its own, so that rarity and thresholds are those of its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from random import Random
from typing import Any

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.measuring import opened
from stylus_ext.evaluation.picks import FindPicks, picker
from stylus_ext.evaluation.selection import cards, fill, id_of, ids_of, read_queries

SIZES = (10, 30, 100, 300)
ANSWERED_SHARE = 0.3
MOST_ANSWERED = 12
SEED = 13


@dataclass(frozen=True, slots=True)
class SmallLibrary:
    """Some adapters, with the prompts asked of them: those that they answer, and others."""

    adapters: frozenset[str]
    answered: tuple[Mapping[str, Any], ...]
    others: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """What was picked: `right` and `wanted` of the answered prompts, `false` of the others."""

    answered: int = 0
    others: int = 0
    wanted: int = 0
    right: int = 0
    picks: int = 0
    false: int = 0
    alone: int = 0

    def __add__(self, more: LibraryCounts) -> LibraryCounts:
        return LibraryCounts(
            *(getattr(self, name) + getattr(more, name) for name in self.__slots__)
        )

    def as_values(self) -> dict[str, Any]:
        return {
            "answered": self.answered,
            "others": self.others,
            "precision": _share(self.right, self.picks),
            "recall": _share(self.right, self.wanted),
            "false": _share(self.false, self.others),
            "left_alone": _share(self.alone, self.others),
        }


def run_small(
    catalogue: Path, queries: Sequence[Path], progress: Progress, number: int
) -> dict[str, Any]:
    """Ask at least so many prompts of libraries of each size."""
    known = {id_of(card.key): card for card in cards(catalogue)}
    read = [query for query in read_queries(queries) if golds_of(query) <= known.keys()]
    rows = []
    for size in SIZES:
        if size > len(known):
            continue
        counts, drawn = LibraryCounts(), Random(f"{SEED} {size}")  # noqa: S311
        libraries = 0
        while counts.answered + counts.others < number:
            library = draw_library(sorted(known), read, size, drawn)
            if not library.answered:
                raise InvalidInput("No prompt has adapters of this catalogue.")
            libraries += 1
            progress.report(f"asking libraries of {size}", counts.answered + counts.others, number)
            counts += _counts_in(library, known, progress)
        rows.append({"adapters": size, "libraries": libraries, **counts.as_values()})
    return {"sizes": rows}


def golds_of(query: Mapping[str, Any]) -> frozenset[str]:
    """The adapters of a prompt, without utility ones, which no prompt asks for."""
    return frozenset(item["id"] for item in query["gold"] if not item.get("utility"))


def draw_library(
    adapters: Sequence[str], queries: Sequence[Mapping[str, Any]], size: int, drawn: Random
) -> SmallLibrary:
    """Draw prompts whose adapters fill at most half the library, other adapters, other prompts."""
    shuffled = drawn.sample(list(queries), len(queries))
    held: set[str] = set()
    answered: list[Mapping[str, Any]] = []
    for query in shuffled:
        wanted = golds_of(query)
        if wanted and len(answered) < MOST_ANSWERED and len(held | wanted) <= max(1, size // 2):
            held |= wanted
            answered.append(query)
    rest = [adapter for adapter in adapters if adapter not in held]
    held.update(drawn.sample(rest, min(size, len(adapters)) - len(held)))
    others = [query for query in shuffled if not golds_of(query) & held]
    number = ceil(len(answered) * (1 - ANSWERED_SHARE) / ANSWERED_SHARE)
    return SmallLibrary(frozenset(held), tuple(answered), tuple(others[:number]))


def _counts_in(
    library: SmallLibrary, known: Mapping[str, AdapterCard], progress: Progress
) -> LibraryCounts:
    with opened() as stylus:
        fill(stylus, (known[adapter] for adapter in sorted(library.adapters)), progress)
        return counts_of(library, picker(stylus))


def counts_of(library: SmallLibrary, find: FindPicks) -> LibraryCounts:
    counts = LibraryCounts()
    for query in library.answered:
        golds, picked = golds_of(query), set(ids_of(find(query["prompt"])))
        right = len(golds & picked)
        counts += LibraryCounts(answered=1, wanted=len(golds), right=right, picks=len(picked))
    for query in library.others:
        false = len(find(query["prompt"]))
        counts += LibraryCounts(others=1, picks=false, false=false, alone=not false)
    return counts


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


_SHARES = ("precision", "recall", "false", "left_alone")


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    names = ("adapters", "libraries", "answered", "others")
    yield "".join(f"{name:>11}" for name in (*names, *_SHARES))
    for row in report["sizes"]:
        cells = ("" if row[name] is None else f"{row[name]:.3f}" for name in _SHARES)
        yield "".join(f"{row[name]:11}" for name in names) + "".join(
            f"{cell:>11}" for cell in cells
        )
