"""Corrections: adapters that the user rejected, kept or swapped in a plan before using it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, NearMiss, Pick, Task
from stylus_ext.core.settings import Selection


@dataclass(frozen=True, slots=True)
class KeptPick:
    """An adapter to keep. Weight None: the plan decides; task None: any task; `pinned`: in every
    batch.
    """

    key: AdapterKey
    weight: float | None = None
    task: int | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Corrections:
    """`reject` removes adapters, `swap` replaces them by the next candidate; with `only`, nothing
    but `keep` is used. Reject wins over keep.
    """

    reject: frozenset[AdapterKey] = frozenset()
    swap: frozenset[AdapterKey] = frozenset()
    keep: tuple[KeptPick, ...] = ()
    only: bool = False

    def __bool__(self) -> bool:
        return bool(self.reject or self.swap or self.keep or self.only)

    @property
    def out(self) -> frozenset[AdapterKey]:
        return self.reject | self.swap

    @property
    def kept(self) -> dict[AdapterKey, KeptPick]:
        """Kept picks by key; the first of duplicates counts."""
        first: dict[AdapterKey, KeptPick] = {}
        for kept in self.keep:
            if kept.key not in self.out:
                first.setdefault(kept.key, kept)
        return first

    def known_as(self, names: Mapping[AdapterKey, AdapterKey]) -> Corrections:
        """Return the corrections with all keys replaced by first keys."""
        return replace(
            self,
            reject=frozenset(names.get(key, key) for key in self.reject),
            swap=frozenset(names.get(key, key) for key in self.swap),
            keep=tuple(replace(kept, key=names.get(kept.key, kept.key)) for kept in self.keep),
        )


NO_CORRECTIONS = Corrections()


@dataclass(frozen=True, slots=True)
class PickLimits:
    """Limits of a corrected plan; `room` counts adapters besides the user's own."""

    room: int
    styles: int
    per_task: int

    @classmethod
    def of(cls, selection: Selection, own: int) -> PickLimits:
        return cls(max(0, selection.max_adapters - own), selection.max_styles, selection.per_task)


def corrected(
    composition: Composition,
    corrections: Corrections,
    found: Mapping[AdapterKey, Pick],
    instead: Sequence[Pick],
    limits: PickLimits,
    text: str,
) -> Composition:
    """Apply corrections. `found` are usable kept picks, `instead` replacements for swapped ones,
    `text` the prompt.
    """
    here = {pick.key: pick for pick in composition.picks}
    kept = {key: pick for key, pick in corrections.kept.items() if key in found}
    tasks = composition.tasks or ((Task(text.strip() or text, 0, len(text)),) if kept else ())
    standing = [here[key] for key in here if key not in corrections.out]
    first = _placed(
        [_with_corrections(here.get(key, found[key]), pick) for key, pick in kept.items()],
        tasks,
        standing,
    )
    rest = (
        []
        if corrections.only
        else [
            pick
            for pick in (*standing, *_instead(here, corrections, instead))
            if pick.key not in kept
        ]
    )
    places = {key: place for place, key in enumerate(here)}
    picks = sorted(_within(first, rest, limits), key=lambda pick: places.get(pick.key, len(places)))
    taken = {pick.key for pick in picks}
    gone = [
        NearMiss(key, here[key].name, "you took it out of this plan", here[key].score)
        for key in here
        if key in corrections.out
    ]
    near = [
        miss
        for miss in composition.near_misses
        if miss.key not in taken and miss.key not in corrections.out
    ]
    return Composition(tasks, tuple(picks), (*gone, *near))


def _with_corrections(pick: Pick, kept: KeptPick) -> Pick:
    known = replace(
        pick, pinned=pick.pinned or kept.pinned, task=pick.task if kept.task is None else kept.task
    )
    return known if kept.weight is None else replace(known, weight=kept.weight, user_weight=True)


def _placed(picks: Sequence[Pick], tasks: Sequence[Task], standing: Iterable[Pick]) -> list[Pick]:
    """Assign picks to their tasks; a pick whose task is gone takes a free task, else the first."""
    starts = [task.start for task in tasks]
    busy = Counter(
        pick.task for pick in (*standing, *(pick for pick in picks if pick.task in starts))
    )
    placed = []
    for pick in picks:
        start = pick.task
        if start not in starts:
            start = next((free for free in starts if not busy[free]), starts[0])
            busy[start] += 1
        placed.append(replace(pick, task=start))
    return placed


def _instead(
    here: Mapping[AdapterKey, Pick], corrections: Corrections, instead: Sequence[Pick]
) -> list[Pick]:
    """Return as many replacements per task as were swapped there."""
    wanted = Counter(here[key].task for key in here if key in corrections.swap)
    coming = []
    for pick in instead:
        if wanted[pick.task] and pick.key not in here and pick.key not in corrections.out:
            wanted[pick.task] -= 1
            coming.append(pick)
    return coming


def _within(first: Sequence[Pick], rest: Sequence[Pick], limits: PickLimits) -> list[Pick]:
    """Apply limits: kept picks first; only the user may exceed a task's share."""
    picks: list[Pick] = []
    for place, pick in enumerate((*first, *rest)):
        styles = sum(one.kind == "style" for one in picks)
        shared = sum(one.task == pick.task for one in picks)
        full = len(picks) >= limits.room or (pick.kind == "style" and styles >= limits.styles)
        crowded = (
            place >= len(first)
            and not pick.pinned
            and any(one.task == pick.task for one in picks[: len(first)])
            and shared >= limits.per_task
        )
        if not full and not crowded:
            picks.append(pick)
    return picks
