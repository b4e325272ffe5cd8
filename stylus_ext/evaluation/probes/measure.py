"""Strength, consistency and the weight from which pictures break, from features of pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.probe import BROKEN, FAILED, NO_EFFECT

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

FAR = 1.0
"""An effect as large as another prompt's: little is left of the picture without the LoRA."""
FAINT, NOTHING = 0.1, 0.01
LOST = 0.2
"""Below this likeness to the prompts' own differences, pictures no longer follow the prompts."""
JUMP = 3.0
"""A step of the effect this many times as large as any before it."""
CONVENTION = 1.0
"""The weight that LoRAs are trained for."""
CAUTION = 0.8
"""Share of the highest weight that holds."""
_TINY = 1e-12
_DIGITS = 4
_TWO = 2


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one LoRA, and those of each weight."""

    strength: float
    consistency: float
    breaks_at: float | None
    weight: float | None
    trouble: str
    weights: tuple[float, ...]
    effects: tuple[float, ...]
    """By weight; 0 where no picture could be compared."""
    kept: tuple[float, ...]
    """By weight how much of the differences between the prompts is left: 1 for all."""


@dataclass(frozen=True, slots=True)
class ProbeFeatures:
    """Features by weight, prompt, seed and dimension; the first weight is 0.

    `blank` marks pictures of one colour, `failed` those that the WebUI could not make; both are
    compared with nothing, whatever their features are.
    """

    weights: tuple[float, ...]
    values: Array
    blank: Flags
    failed: Flags

    def __post_init__(self) -> None:
        if not self.weights or self.weights[0] != 0 or list(self.weights) != sorted(self.weights):
            raise InvalidInput("The weights of a probe rise, and the first is 0.")
        shape = self.values.shape[:3]
        dimensions = 4
        if (
            self.values.ndim != dimensions
            or len(self.weights) != shape[0]
            or not shape == self.blank.shape == self.failed.shape
        ):
            raise InvalidInput("A probe has one picture for each weight, prompt and seed.")
        if shape[0] < _TWO or shape[1] < _TWO:
            raise InvalidInput("A probe needs two weights and two prompts at least.")


def measure(found: ProbeFeatures) -> Measurement:
    finite = np.isfinite(found.values).all(axis=3)
    usable = finite & ~found.blank & ~found.failed
    if not usable[0].all():
        raise InvalidInput(
            "The pictures without a LoRA are blank or broken. Check the checkpoint and the VAE."
        )
    values = np.where(usable[..., None], found.values, 0.0)
    base = values[0]
    unit = _distance_of_prompts(base)
    changes = (values - base)[1:] / unit
    good = usable[1:]
    weights = np.array(found.weights[1:])
    effects = np.array([_root_mean(change[ok]) for change, ok in zip(changes, good, strict=True)])
    kept = np.array([_kept(base, values[at], usable[at]) for at in range(1, len(values))])
    broken = _broken(effects, kept, good)
    holds = ~broken & (weights > 0)
    trouble = _trouble(effects, holds, found.failed[1:])
    breaks_at = float(weights[_first_of_the_last_run(broken)]) if broken[-1] else None
    return Measurement(
        round(_slope(weights, effects, holds), _DIGITS),
        round(_agreement(changes, good, holds), _DIGITS),
        breaks_at,
        None if trouble else _advised(weights, effects, holds),
        trouble,
        found.weights,
        (0.0, *(round(float(each), _DIGITS) for each in effects)),
        (1.0, *(round(float(each), _DIGITS) for each in kept)),
    )


def _distance_of_prompts(base: Array) -> float:
    """Root mean square distance between pictures of different prompts."""
    count = len(base)
    squares = [
        ((base[one][:, None] - base[other][None]) ** 2).sum(axis=-1).mean()
        for one in range(count)
        for other in range(one)
    ]
    unit = float(np.sqrt(np.mean(squares)))
    if unit <= _TINY:
        raise InvalidInput("The pictures of different prompts are the same without a LoRA.")
    return unit


def _root_mean(changes: Array) -> float:
    return float(np.sqrt((changes**2).sum(axis=-1).mean())) if len(changes) else 0.0


def _kept(base: Array, values: Array, usable: Flags) -> float:
    """Cosine of the prompts' differences without and with the LoRA; what moves all is removed."""
    prompts = [at for at in range(len(base)) if usable[at].any()]
    if len(prompts) < _TWO:
        return 0.0
    before = np.stack([base[at][usable[at]].mean(axis=0) for at in prompts])
    after = np.stack([values[at][usable[at]].mean(axis=0) for at in prompts])
    before, after = before - before.mean(axis=0), after - after.mean(axis=0)
    size = float(np.linalg.norm(before) * np.linalg.norm(after))
    return float((before * after).sum()) / size if size > _TINY else 0.0


def _broken(effects: Array, kept: Array, good: Flags) -> Flags:
    """Whether most pictures of a weight are blank, or no longer show their prompts."""
    blank = good.mean(axis=(1, 2)) <= 0.5  # noqa: PLR2004
    return np.asarray(blank | (kept < LOST) | _after_a_jump(effects), np.bool_)


def _after_a_jump(effects: Array) -> Flags:
    """Whether the pictures are far off since a step that no earlier step lets expect."""
    found = np.zeros(len(effects), np.bool_)
    jumped = False
    for at in range(_TWO, len(effects)):
        largest = max(abs(effects[1:at] - effects[: at - 1]).max(), effects[0], NOTHING)
        jumped = jumped or effects[at] - effects[at - 1] > JUMP * largest
        found[at] = jumped and effects[at] > FAR
    return found


def _first_of_the_last_run(broken: Flags) -> int:
    sound = np.flatnonzero(~broken)
    return int(sound[-1]) + 1 if len(sound) else 0


def _trouble(effects: Array, holds: Flags, failed: Flags) -> str:
    if not holds.any():
        return FAILED if failed.all() else BROKEN
    return NO_EFFECT if float(effects[holds].max()) < NOTHING else ""


def _slope(weights: Array, effects: Array, holds: Flags) -> float:
    """Least squares through the origin, over the usual weights that hold, else all that do."""
    usual = holds & (weights <= CONVENTION)
    chosen = usual if usual.any() else holds
    if not chosen.any():
        return 0.0
    return float((weights * effects)[chosen].sum() / (weights[chosen] ** 2).sum())


def _agreement(changes: Array, good: Flags, holds: Flags) -> float:
    """Mean cosine of the changes of two pictures of one weight, weighted by their effect."""
    total, shares = 0.0, 0.0
    for change, ok, held in zip(changes, good, holds, strict=True):
        lengths = np.linalg.norm(change, axis=-1)
        moved = ok & (lengths > NOTHING)
        count = int(moved.sum())
        if not held or count < _TWO:
            continue
        directions = change[moved] / lengths[moved][:, None]
        cosine = (float((directions.sum(axis=0) ** 2).sum()) - count) / (count * (count - 1))
        share = float(lengths[moved].mean())
        total, shares = total + cosine * share, shares + share
    return min(1.0, max(0.0, total / shares)) if shares else 0.0


def _advised(weights: Array, effects: Array, holds: Flags) -> float | None:
    """A lower weight for a LoRA too strong for the usual one, the trained one for a faint one."""
    usual = weights <= CONVENTION
    fine = usual & holds & (effects <= FAR)
    if not fine.any():
        return round(float(weights[0]) * CAUTION, 2)
    highest = float(weights[fine].max())
    if highest < float(weights[usual].max()):
        return round(CAUTION * highest, 2)
    return CONVENTION if float(effects[fine].max()) < FAINT else None
