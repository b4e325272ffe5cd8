"""Schedules: which LoRA acts in which steps, in place of adding up all weights in all steps.

Times run from 0 to 1 over the steps that the sampler really makes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stylus_ext.core.adapter_type import EMBEDDING, LORA
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Mask, Pick
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.parse import Prompt, structure
from stylus_ext.core.prompt.words import content_words
from stylus_ext.core.settings import MERGE, SWITCH, WINDOWS
from stylus_ext.core.tags import TagInputs, own_weight, weigh

Schedule = tuple[tuple[float, float], ...]
"""Points (time, weight) by time, the first at 0; a weight holds until the next point."""
Weights = Callable[[frozenset[AdapterKey]], Mapping[AdapterKey, float]]
"""The weights of picks that act at the same time."""

FEWEST_SCHEDULED = 3
"""`auto` adds up the weights of fewer LoRAs."""
_LATE_FROM, _EARLY_UNTIL = 0.4, 0.6
"""Between these times of `windows` all LoRAs act."""
_LATE_KINDS = frozenset({"style"})
_ANY_TIME = frozenset({"unknown"})
_ORDER = (
    "character person animal clothing pose action style background building vehicle object concept"
    " unknown"
).split()


@dataclass(frozen=True, slots=True)
class HostSteps:
    """The steps of a picture's shortest pass, and how many changes of weights the host can do."""

    steps: int
    changes: int

    def __post_init__(self) -> None:
        if self.steps < 1 or self.changes < 0:
            raise InvalidInput("A pass has at least one step, and no negative number of changes.")


@dataclass(frozen=True, slots=True)
class Part:
    """A pick that may be scheduled; `influence` is that of its words in the prompt."""

    key: AdapterKey
    kind: str
    influence: float = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The picks that act from one step to another (exclusive)."""

    start: int
    end: int
    on: frozenset[AdapterKey]


def turns(mode: str, parts: Sequence[Part], every: int, host: HostSteps) -> tuple[Turn, ...]:
    """The turns over all steps of the host; empty where all picks act all the time."""
    kinds = {part.kind for part in parts}
    late, early = kinds & _LATE_KINDS, kinds - _LATE_KINDS - _ANY_TIME
    if mode == "auto":
        both = WINDOWS if late and early else SWITCH
        mode = both if len(parts) >= FEWEST_SCHEDULED else MERGE
    if len(parts) <= 1 or mode == MERGE:
        return ()
    ordered = sorted(parts, key=lambda part: _ORDER.index(part.kind))
    if mode == WINDOWS:
        return tuple(_windows(ordered, host)) if late and early else ()
    slots = _slots(len(parts), every, host)
    if not slots:
        return ()
    if mode == SWITCH:
        keys = [ordered[slot % len(ordered)].key for slot in range(len(slots))]
    else:
        keys = _by_influence(ordered, len(slots))
    return _joined(slots, keys)


def _windows(parts: Sequence[Part], host: HostSteps) -> Iterator[Turn]:
    """What decides on the layout first, style last, and between them all."""
    early = frozenset(part.key for part in parts if part.kind not in _LATE_KINDS)
    late = frozenset(part.key for part in parts if part.kind in _LATE_KINDS | _ANY_TIME)
    steps = host.steps
    first, last = round(steps * _LATE_FROM), round(steps * _EARLY_UNTIL)
    if host.changes <= 1 or not 0 < first < last < steps:
        first = last = (steps + 1) // 2
    if host.changes < 1 or last >= steps:
        return
    yield Turn(0, first, early)
    if first < last:
        yield Turn(first, last, early | late)
    yield Turn(last, steps, late)


def _slots(parts: int, every: int, host: HostSteps) -> list[range]:
    """Equal parts of the steps, at least one for each pick; empty where that is not possible."""
    most = min(host.changes + 1, host.steps)
    if most < parts:
        return []
    size = max(min(every, host.steps // parts), math.ceil(host.steps / most))
    found = [range(start, min(start + size, host.steps)) for start in range(0, host.steps, size)]
    return found if len(found) >= parts else _even(parts, host.steps)


def _even(count: int, steps: int) -> list[range]:
    cuts = [steps * place // count for place in range(count + 1)]
    return [range(*pair) for pair in zip(cuts, cuts[1:], strict=False)]


def _by_influence(parts: Sequence[Part], slots: int) -> list[AdapterKey]:
    """Slots in proportion to the influence, at least one each, spread over the time."""
    total = sum(part.influence for part in parts)
    free = slots - len(parts)
    exact = [free * part.influence / total for part in parts]
    counts = [1 + int(share) for share in exact]
    by_rest = sorted(range(len(parts)), key=lambda place: int(exact[place]) - exact[place])
    for place in by_rest[: slots - sum(counts)]:
        counts[place] += 1
    gained = [0] * len(parts)
    keys = []
    for _ in range(slots):
        gained = [have + count for have, count in zip(gained, counts, strict=True)]
        chosen = max(range(len(parts)), key=gained.__getitem__)
        gained[chosen] -= slots
        keys.append(parts[chosen].key)
    return keys


def _joined(slots: Sequence[range], keys: Sequence[AdapterKey]) -> tuple[Turn, ...]:
    found: list[Turn] = []
    for slot, key in zip(slots, keys, strict=True):
        if found and key in found[-1].on:
            found[-1] = replace(found[-1], end=slot.stop)
        else:
            found.append(Turn(slot.start, slot.stop, frozenset({key})))
    return tuple(found)


def schedules_of(
    chosen: Sequence[Turn], keys: Collection[AdapterKey], steps: int, weights: Weights
) -> dict[AdapterKey, Schedule]:
    """The schedule of each pick; empty if some turn leaves no weight at all."""
    each = [(turn.start / steps, weights(turn.on)) for turn in chosen]
    if not all(any(found.values()) for _, found in each):
        return {}
    return {key: _points([(time, found.get(key, 0.0)) for time, found in each]) for key in keys}


def _points(points: Sequence[tuple[float, float]]) -> Schedule:
    kept: list[tuple[float, float]] = []
    for time, weight in points:
        if not kept or kept[-1][1] != weight:
            kept.append((round(time, 6), weight))
    return tuple(kept)


def weight_at(schedule: Schedule, step: int, steps: int) -> float:
    """The weight in a step, by the middle of the step."""
    middle = (step + 0.5) / steps
    return next((weight for time, weight in reversed(schedule) if time <= middle), 0.0)


def pick_schedules(
    inputs: Sequence[TagInputs], mask: Mask, host: HostSteps | None
) -> dict[AdapterKey, Schedule]:
    """Schedules of the picks that are on for the prompts of one batch, which share them.

    Sliders, speed and utility adapters act all the time, and so does what is no LoRA; the user's
    own tags are left alone.
    """
    if host is None or not inputs:
        return {}
    first, combination = inputs[0], inputs[0].settings.combination
    written = _smallest([_weights(each, mask.on, mask, 0.0) for each in inputs])
    every = first.composition.all_picks
    on = [pick for pick in every if written.get(pick.key) and pick.type != EMBEDDING]
    tools = {pick.key for pick in on if pick.tool or pick.type != LORA}
    parts = [
        Part(pick.key, pick.kind, _influence(first, pick)) for pick in on if pick.key not in tools
    ]
    chosen = turns(combination.combine, parts, combination.switch_steps, host)
    fixed = sum(abs(written[key]) for key in tools)

    def weights(keys: frozenset[AdapterKey]) -> Mapping[AdapterKey, float]:
        return _smallest([_weights(each, keys, mask, fixed) for each in inputs])

    keys = [part.key for part in parts]
    return schedules_of(chosen, keys, host.steps, weights) if chosen else {}


def _weights(
    inputs: TagInputs, keys: frozenset[AdapterKey], mask: Mask, fixed: float
) -> dict[AdapterKey, float]:
    own = own_weight(inputs.prompt.user_tags) + fixed
    return weigh(inputs.composition, replace(mask, on=keys), inputs.settings.weights, own)


def _smallest(weights: Sequence[Mapping[AdapterKey, float]]) -> dict[AdapterKey, float]:
    """One weight for all prompts of a batch, so that the limit holds in each."""
    return {key: min((each.get(key, 0.0) for each in weights), key=abs) for key in weights[0]}


def _influence(inputs: TagInputs, pick: Pick) -> float:
    """The words of its task, times the attention that they get, and its trigger words."""
    task = next(task for task in inputs.composition.tasks if task.start == pick.task)
    words = len(content_words(task.text)) * _attention(inputs.prompt, task.start, task.end)
    triggers = inputs.tags[pick.key].triggers if pick.key in inputs.tags else ()
    return max(1.0, words + sum(len(content_words(text)) for text in triggers))


def _attention(prompt: Prompt, start: int, end: int) -> float:
    """The highest weight of a word in this part of the prompt."""
    weights = structure(prompt.tokens).weights
    return max(
        (
            weight
            for token, weight in zip(prompt.tokens, weights, strict=True)
            if token.start < end and token.end > start
        ),
        default=1.0,
    )


def schedule_from_json(data: Any) -> Schedule:
    """Points in order of time; raises for anything else."""
    points = tuple((float(time), float(weight)) for time, weight in data)
    times = [time for time, _ in points]
    if not points or times[0] != 0 or times != sorted(times) or times[-1] > 1:
        raise InvalidInput("The times of a schedule run from 0 to 1.")
    if not all(math.isfinite(weight) for _, weight in points):
        raise InvalidInput("The weights of a schedule are finite.")
    return points


def schedule_text(schedules: Mapping[str, Schedule]) -> str:
    """For an infotext: `stem weight@time|weight@time; stem ...`."""
    return "; ".join(
        f"{stem} {'|'.join(f'{weight:g}@{time:g}' for time, weight in schedule)}"
        for stem, schedule in schedules.items()
    )


def schedules_in_text(text: str) -> dict[str, Schedule]:
    """Read what `schedule_text` wrote; what cannot be read is left out."""
    found = {}
    for part in text.split("; "):
        stem, _, points = part.rpartition(" ")
        try:
            pairs = [point.split("@") for point in points.split("|")]
            found[stem] = schedule_from_json([(time, weight) for weight, time in pairs])
        except (ValueError, InvalidInput):
            continue
    return {stem: schedule for stem, schedule in found.items() if stem}
