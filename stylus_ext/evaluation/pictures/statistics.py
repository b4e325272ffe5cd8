"""Paired statistics: bootstrap intervals, sign tests, Holm's correction and sample sizes.

The unit is one prompt: the pictures of one prompt are not independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.head_to_head import sign_test

ALPHA = 0.05
RESAMPLES = 2000
_ROWS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """An arm against the reference arm; `p` is corrected for the number of arms."""

    difference: Interval
    higher: int
    lower: int
    equal: int
    p_alone: float
    p: float

    @property
    def differs(self) -> bool:
        return self.p < ALPHA

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "differs": self.differs}


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean with a percentile interval over resampled prompts."""
    data = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(seed)
    means = np.concatenate(
        [
            data[random.integers(0, len(data), (_ROWS_AT_ONCE, len(data)))].mean(axis=1)
            for _ in range(RESAMPLES // _ROWS_AT_ONCE)
        ]
    )
    low, high = np.quantile(means, (ALPHA / 2, 1 - ALPHA / 2))
    return Interval(float(data.mean()), float(low), float(high))


def holm(values: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, in the order of `values`."""
    corrected = [1.0] * len(values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, values[place] * (len(values) - rank)))
        corrected[place] = highest
    return corrected


def compare(
    reference: Mapping[int, float], arms: Mapping[str, Mapping[int, float]]
) -> dict[str, PairedComparison]:
    """Compare arms with a reference arm by the prompts that both have."""
    pairs = {
        name: [values[prompt] - reference[prompt] for prompt in sorted(reference.keys() & values)]
        for name, values in arms.items()
    }
    pairs = {name: found for name, found in pairs.items() if found}
    counts = {
        name: (sum(each > 0 for each in found), sum(each < 0 for each in found))
        for name, found in pairs.items()
    }
    alone = [sign_test(*counts[name]) for name in pairs]
    return {
        name: PairedComparison(
            bootstrap(pairs[name]),
            *counts[name],
            len(pairs[name]) - sum(counts[name]),
            p_alone,
            p,
        )
        for name, p_alone, p in zip(pairs, alone, holm(alone), strict=True)
    }


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Prompts needed to detect an effect with a given power."""

    effect: float
    win_share: float
    prompts: int
    arms: int
    power: float


def sample_size(effect: float, arms: int = 1, power: float = 0.8) -> SampleSize:
    """The prompts that a sign test needs for a paired effect, in standard deviations.

    `arms` are compared with the reference; the least level of Holm's correction is used.
    """
    if not (math.isfinite(effect) and effect != 0):
        raise InvalidInput("The effect must be a number other than 0, such as 0.3.")
    normal = NormalDist()
    share = normal.cdf(abs(effect))
    level = normal.inv_cdf(1 - ALPHA / max(arms, 1) / 2)
    spread = math.sqrt(share * (1 - share))
    needed = ((level / 2 + normal.inv_cdf(power) * spread) / (share - 0.5)) ** 2
    # Below this number, even wins alone are not significant.
    least = math.log2(2 * max(arms, 1) / ALPHA)
    return SampleSize(effect, share, math.ceil(max(needed, least)), arms, power)
