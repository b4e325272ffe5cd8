"""Masks: which picks are active in each batch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import VARIED

FEWEST_SETS = 3
"""With fewer sets, batches also differ by the second-best pick of a task, or by the weights."""

WEIGHT_FACTORS = (0.85, 1.15)


@dataclass(frozen=True, slots=True)
class _Group:
    """The picks of a task that may be off, and its number of states; state 0 is all on."""

    keys: tuple[AdapterKey, ...]
    states: int


def choose_masks(
    composition: Composition, scheme: str, seeds: Sequence[int], stride: int = 1
) -> tuple[Mask, ...]:
    """Return one mask per batch.

    The first is all on. Later ones follow their own seed, but no combination repeats before all
    were used. `stride` is the distance of neighbouring first seeds, that is the batch size.
    """
    count, mask = _combinations(composition, scheme)
    place = _order(composition, scheme, count)
    chosen: list[int] = []
    seen: set[int] = set()
    for number, seed in enumerate(seeds):
        if len(seen) == count:
            seen.clear()
        position = seed // max(1, stride) % count
        combination = place(position) if number else 0
        if combination in seen:
            # Most often all on, which the first batch took in place of its own.
            combination = place(seeds[0] // max(1, stride) % count)
        while combination in seen:
            position = (position + 1) % count
            combination = place(position)
        seen.add(combination)
        chosen.append(combination)
    return tuple(map(mask, chosen))


def _combinations(composition: Composition, scheme: str) -> tuple[int, Callable[[int], Mask]]:
    """How many combinations there are, and the mask of each; the first is all on."""
    fixed = frozenset(
        pick.key
        for pick in composition.picks
        if pick.pinned or (scheme == VARIED and pick.asked_for)
    )
    groups = _groups(composition, scheme, fixed)
    count = math.prod(group.states for group in groups)

    def mask(combination: int) -> Mask:
        return Mask(fixed | _on(groups, combination))

    if scheme != VARIED:
        return count, mask
    if not fixed:
        count = max(1, count - 1)  # the last one would be without any pick
    if count >= FEWEST_SETS:
        return count, mask
    few = _few(composition, fixed, [mask(combination) for combination in range(count)])
    return len(few), few.__getitem__


def _few(
    composition: Composition, fixed: frozenset[AdapterKey], masks: Sequence[Mask]
) -> list[Mask]:
    """These masks, those with a second-best pick, and if needed those with other weights."""
    whole = masks[0].on
    found = list(masks)
    for other in composition.alternatives:
        replaced = {pick.key for pick in composition.of_task(other.task)} - fixed
        if replaced:
            found.append(Mask(whole - replaced | {other.key}))
    if whole and len(found) < FEWEST_SETS:
        found += [Mask(whole, factor) for factor in WEIGHT_FACTORS]
    return found


def _groups(
    composition: Composition, scheme: str, fixed: frozenset[AdapterKey]
) -> tuple[_Group, ...]:
    groups = []
    for task in composition.tasks:
        picks = composition.of_task(task.start)
        keys = tuple(pick.key for pick in picks if pick.key not in fixed)
        if keys:
            groups.append(_Group(keys, _states(scheme, len(keys))))
    return tuple(groups)


def _states(scheme: str, picks: int) -> int:
    if scheme == "all":
        return 1
    if scheme in (VARIED, "paper"):
        # As in the paper: all of a task's adapters, one of them, or none; one is on or off.
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
