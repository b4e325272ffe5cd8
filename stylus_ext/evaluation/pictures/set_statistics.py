"""Statistics of metrics that have one value for all pictures of an arm.

The unit is a prompt here too. Intervals come from random halves of the prompts: the variance over
halves is that of the whole value (a jackknife that leaves out half). p comes from swapping the two
arms in random prompts, which makes no difference where the arms are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from stylus_ext.evaluation.pictures.metrics import Measure
from stylus_ext.evaluation.pictures.statistics import ALPHA, Interval, holm

HALVES = 100
SWAPS = 199

Tick = Callable[[int, int], None]
"""Called with the number done and the whole number."""


@dataclass(frozen=True, slots=True)
class SetComparison:
    """An arm's value, and its difference to the reference arm; `p` is not yet corrected."""

    value: Interval
    difference: Interval
    p_alone: float

    def to_json(self, p: float) -> dict[str, Any]:
        return {
            "difference": asdict(self.difference),
            "p_alone": self.p_alone,
            "p": p,
            "differs": p < ALPHA,
        }


def value_of_arm(measure: Measure, arm: str, prompts: Sequence[int]) -> Interval:
    halves = [[prompts[place] for place in half] for half in _halves(len(prompts))]
    spread = np.array([measure([(arm, prompt) for prompt in half]) for half in halves])
    return _interval(measure([(arm, prompt) for prompt in prompts]), spread, len(prompts))


def compare_arms(
    measure: Measure, arms: tuple[str, str], prompts: Sequence[int], tick: Tick
) -> SetComparison:
    """Compare the second arm with the first, which is the reference."""
    reference, arm = arms

    def pair(places: Sequence[int], swapped: Mapping[int, bool]) -> tuple[float, float]:
        """The values of the reference and of the arm."""
        first, second = [], []
        for place in places:
            one, other = (arm, reference) if swapped.get(place) else (reference, arm)
            first.append((one, prompts[place]))
            second.append((other, prompts[place]))
        return measure(first), measure(second)

    every = range(len(prompts))
    whole = HALVES + SWAPS
    base, value = pair(every, {})
    halves = []
    for number, half in enumerate(_halves(len(prompts))):
        tick(number, whole)
        halves.append(pair(half, {}))
    spread = np.array(halves)
    random = np.random.default_rng(1)
    found = abs(value - base) * (1 - 1e-9) - 1e-12
    as_far = 0
    for number in range(SWAPS):
        tick(HALVES + number, whole)
        swapped = dict(enumerate(random.random(len(prompts)) < 1 / 2))
        one, other = pair(every, swapped)
        as_far += abs(other - one) >= found
    return SetComparison(
        _interval(value, spread[:, 1], len(prompts)),
        _interval(value - base, spread[:, 1] - spread[:, 0], len(prompts)),
        (1 + as_far) / (1 + SWAPS),
    )


def corrected(comparisons: Mapping[str, SetComparison]) -> dict[str, dict[str, Any]]:
    """The comparisons for the report, with Holm's correction over the arms."""
    chances = holm([each.p_alone for each in comparisons.values()])
    return {
        arm: each.to_json(p) for (arm, each), p in zip(comparisons.items(), chances, strict=True)
    }


def _halves(count: int) -> list[Sequence[int]]:
    random = np.random.default_rng(0)
    return [sorted(random.permutation(count)[: count // 2].tolist()) for _ in range(HALVES)]


def _interval(value: float, of_halves: np.ndarray[Any, Any], prompts: int) -> Interval:
    half = prompts // 2
    deviation = float(of_halves.std(ddof=1)) * (half / (prompts - half)) ** 0.5
    reach = NormalDist().inv_cdf(1 - ALPHA / 2) * deviation
    return Interval(value, value - reach, value + reach)
