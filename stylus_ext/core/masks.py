"""Masks: which picks are active in which batch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition
from stylus_ext.core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Mask:
    """Keys of the active picks."""

    on: frozenset[AdapterKey]


@dataclass(frozen=True, slots=True)
class _Group:
    """The unpinned picks of a task and its number of states; state 0 is all on."""

    keys: tuple[AdapterKey, ...]
    states: int


def choose_masks(
    composition: Composition, scheme: str, seeds: Sequence[int], stride: int = 1
) -> tuple[Mask, ...]:
    """Return one mask per batch.

    The first is all on. Later ones follow their own seed, but no combination repeats before all
    were used. `stride` is the distance of neighbouring first seeds, that is the batch size.
    """
    groups = _groups(composition, scheme)
    pinned = frozenset(pick.key for pick in composition.picks if pick.pinned)
    count = math.prod(group.states for group in groups)
    place = _order(composition, scheme, count)
    chosen: list[int] = []
    seen: set[int] = set()
    for number, seed in enumerate(seeds):
        if len(seen) == count:
            seen.clear()
        position = seed // max(1, stride) % count
        combination = place(position) if number else 0
        if (
            combination in seen
        ):  # most often all on, which the first batch took: its own, unused, is left for this one
            combination = place(seeds[0] // max(1, stride) % count)
        while combination in seen:
            position = (position + 1) % count
            combination = place(position)
        seen.add(combination)
        chosen.append(combination)
    return tuple(Mask(pinned | _on(groups, combination)) for combination in chosen)


def count_masks(composition: Composition, scheme: str) -> int:
    return math.prod(group.states for group in _groups(composition, scheme))


def _groups(composition: Composition, scheme: str) -> tuple[_Group, ...]:
    groups = []
    for task in composition.tasks:
        keys = tuple(pick.key for pick in composition.of_task(task.start) if not pick.pinned)
        if keys:
            groups.append(_Group(keys, _states(scheme, len(keys))))
    return tuple(groups)


def _states(scheme: str, picks: int) -> int:
    if scheme == "all":
        return 1
    if (
        scheme == "paper"
    ):  # PAPER.md 1.4: all of a task's adapters, one of them, or none; for one adapter on or off
        return 2 if picks == 1 else picks + 2
    if scheme == "subsets":
        return 1 << picks
    raise InvalidInput(f"There is no diversity scheme called {scheme!r}.")


def _on(groups: Sequence[_Group], combination: int) -> frozenset[AdapterKey]:
    on: set[AdapterKey] = set()
    for group in groups:
        combination, state = divmod(combination, group.states)
        on.update(_of_state(group, state))
    return frozenset(on)


def _of_state(group: _Group, state: int) -> tuple[AdapterKey, ...]:
    """Keys that are on: state 0 is all, the last none; for `subsets` the bits are what is off."""
    picks = len(group.keys)
    if group.states == 1 << picks:
        return tuple(key for bit, key in enumerate(group.keys) if not state >> bit & 1)
    if state == 0:
        return group.keys
    return group.keys[state - 1 : state] if state <= picks else ()


def _order(composition: Composition, scheme: str, count: int) -> Callable[[int], int]:
    """Return a permutation of 0..count-1 as a function, without building a list."""
    text = "\n".join([scheme, *(f"{pick.task} {pick.key}" for pick in composition.picks)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    offset = int.from_bytes(digest[:16], "big") % count
    step = int.from_bytes(digest[16:], "big") % count or 1
    while math.gcd(step, count) != 1:
        step += 1
    return lambda position: (offset + step * position) % count
