"""Composition: the tasks of a prompt with their picks; masks: which picks are active in a batch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.prompt.phrases import Span


@dataclass(frozen=True, slots=True)
class Evidence:
    """Match scores of a candidate. `rarity` is the rarity in nats of the matched name or trigger
    words (common words: below 3); `sure` (0..1) is the probability that the candidate is meant.
    """

    lexical: float = 0.0
    cosine: float = 0.0
    named: tuple[str, ...] = ()
    trigger: str = ""
    rarity: float = 0.0
    sure: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry scored for one prompt; `spans` by start, `features` for the ranker."""

    entry: Entry
    score: float
    evidence: Evidence = Evidence()
    spans: Mapping[int, Evidence] = field(default_factory=dict)
    features: tuple[float, ...] = field(default=(), repr=False)

    @property
    def key(self) -> AdapterKey:
        return self.entry.key


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An adapter that ranked high but was not picked, with the reason."""

    key: AdapterKey
    name: str
    reason: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates, best first; `confidence` (0..1) is the probability that any of them fits."""

    found: tuple[Candidate, ...]
    spans: tuple[Span, ...]
    confidence: float = 1.0
    refused: tuple[NearMiss, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A part of the prompt, identified by `start`; `taken_by` is the user's own adapter for it."""

    text: str
    start: int
    end: int
    segment: int = 0
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate chosen for the task at `task`. A pinned pick is active in every mask; weight None
    is unknown. If `user_weight`, the user set the weight: it is used as it is, up to the cap.
    """

    key: AdapterKey
    task: int
    name: str
    weight: float | None
    reason: str
    kind: str = "unknown"
    score: float = 0.0
    pinned: bool = False
    user_weight: bool = False


@dataclass(frozen=True, slots=True)
class Composition:
    """Tasks in prompt order, picks best first, near misses, notes. Each key occurs at most once."""

    tasks: tuple[Task, ...] = ()
    picks: tuple[Pick, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        keys = [pick.key for pick in self.picks]
        if len(set(keys)) != len(keys):
            raise InvalidInput("An adapter occurs twice in one composition.")
        starts = {task.start for task in self.tasks}
        if len(starts) != len(self.tasks):
            raise InvalidInput("Two tasks of a composition begin at the same place of the prompt.")
        if any(pick.task not in starts for pick in self.picks):
            raise InvalidInput("A pick of a composition belongs to none of its tasks.")

    def of_task(self, start: int) -> tuple[Pick, ...]:
        return tuple(pick for pick in self.picks if pick.task == start)


@dataclass(frozen=True, slots=True)
class Tag:
    """How a pick is written: the host's stem, chosen trigger words, negative-prompt text."""

    key: AdapterKey
    stem: str
    on_disk: bool
    triggers: tuple[str, ...] = ()
    negative_text: str = ""


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
