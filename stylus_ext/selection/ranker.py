"""A small learned ranker: what speaks for each candidate goes in as numbers, a score and a surety
each come out; numpy alone.

Two sets of weights: one for tag prompts and one for captions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.segmenter import Cutter, cutter_of

Floats = NDArray[np.float32]

FAR = 6.0
"""Standard deviations beyond which a number says no more."""

TOP, WIDTH = 10.0, 6.0
DIGITS = 5

PENNED = -3.3
"""Added for a caption with commas or brackets: whoever writes so knows LoRAs and mentions them by
name. Set by hand, out of fold.
"""

REFERENCE, RISE, FEWEST = 1_500, 1.7, 50
"""The more there are, the better the best of what does not fit looks by chance: how much further
along the line half sure lies for every tenfold of the catalogue that the weights were found with,
and how much nearer in a smaller one of at least FEWEST. Measured from a third of it to the whole;
the best that does not fit grows about with the logarithm.
"""

COINED = 6.6
SURE_OF_COINED = 0.6
"""A span that is nothing but a name or trigger of so rare words is meant, whatever else is known of
the adapter: a file from a folder has no examples and often no text. Not in plain sentences, where
nobody writes one. Set by hand, since the benchmark's adapters have both.
"""

REGIMES = ("tags", "captions")


@dataclass(frozen=True, slots=True)
class Net:
    """A few networks of one hidden layer, averaged, and beside them `base` times the score of the
    fixed weights.

    The first axis of `linear`, `hidden`, `bias` and `out` numbers the networks. Columns with a
    `linear` and `hidden` of zero say nothing.
    """

    mean: Floats
    scale: Floats
    linear: Floats
    hidden: Floats
    bias: Floats
    out: Floats
    base: float

    def __call__(self, values: Floats, fixed: Floats) -> Floats:
        """Above nothing and below TOP, so that a factor below one always lowers a score."""
        near = np.clip((values - self.mean) / self.scale, -FAR, FAR)
        total = self.base * fixed
        for linear, hidden, bias, out in zip(
            self.linear, self.hidden, self.bias, self.out, strict=True
        ):
            total = total + (near @ linear + np.maximum(near @ hidden + bias, 0.0) @ out) / len(
                self.linear
            )
        squeezed: Floats = (TOP / (1.0 + np.exp(-total / WIDTH))).astype(np.float32)
        return squeezed


@dataclass(frozen=True, slots=True)
class Calibration:
    """A straight line that rises with everything in it, and the place on it from which something is
    meant rather than not.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    half: float

    def __call__(self, values: Floats) -> Floats:
        near = np.clip((values - self.mean) / self.scale, -FAR, FAR)
        return (near @ self.weights - np.float32(self.half)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class RankerWeights:
    net: Net
    line: Calibration


@dataclass(frozen=True, slots=True)
class Ranker:
    """`signs` names the columns that the weights were found for."""

    signs: tuple[str, ...]
    tags: RankerWeights
    captions: RankerWeights

    def of(self, is_tags: bool) -> RankerWeights:
        return self.tags if is_tags else self.captions

    def scores(self, values: Floats, is_tags: bool) -> Floats:
        return self.of(is_tags).net(values, self._column(values, "score"))

    def sureties(self, values: Floats, is_tags: bool, among: int = REFERENCE) -> Floats:
        """In 0..1, for each row how sure it is that it is meant, where it was found `among` so
        many.
        """
        line = self.of(is_tags).line(values) - np.float32(_further(among))
        if is_tags:
            return _with_coined(_logistic(line), self._column(values, "exact"))
        penned = self._column(values, "penned") > 0
        sure = _logistic(line + PENNED * penned)
        return np.where(penned, _with_coined(sure, self._column(values, "exact")), sure).astype(
            np.float32
        )

    def _column(self, values: Floats, name: str) -> Floats:
        column: Floats = values[:, self.signs.index(name)]
        return column


def _further(among: int) -> float:
    return RISE * math.log10(max(among, FEWEST) / REFERENCE)


def _logistic(line: Floats) -> Floats:
    return (1.0 / (1.0 + np.exp(-line))).astype(np.float32)


def _with_coined(sure: Floats, exact: Floats) -> Floats:
    return np.where(exact**2 >= COINED, np.maximum(sure, SURE_OF_COINED), sure).astype(np.float32)


def ranker_of(values: Mapping[str, Any], signs: Sequence[str]) -> Ranker:
    """From what `values_of` made; refused where it was found for other signs or is not whole."""
    try:
        if tuple(values["signs"]) != tuple(signs):
            raise InvalidInput(
                "The weights of the ranker were found for other signs than this version has; find"
                " them anew."
            )
        return Ranker(tuple(signs), *(_weights(values[name], len(signs)) for name in REGIMES))
    except (KeyError, TypeError, ValueError) as problem:
        raise InvalidInput(
            f"These are no weights of the ranker: {problem!r} is missing or wrong."
        ) from problem


def values_of(ranker: Ranker) -> dict[str, Any]:
    """As plain values for JSON, rounded: what is read back scores the same everywhere."""
    regimes = {name: _plain(getattr(ranker, name)) for name in REGIMES}
    return {"signs": list(ranker.signs), **regimes}


def _plain(weights: RankerWeights) -> dict[str, Any]:
    net, line = weights.net, weights.line
    return {
        "net": (
            {
                name: _rounded(getattr(net, name))
                for name in ("mean", "scale", "linear", "hidden", "bias", "out")
            }
            | {"base": net.base}
        ),
        "line": (
            {name: _rounded(getattr(line, name)) for name in ("mean", "scale", "weights")}
            | {"half": round(line.half, DIGITS)}
        ),
    }


def _rounded(values: Floats) -> Any:
    return np.round(values.astype(np.float64), DIGITS).tolist()


def _weights(values: Mapping[str, Any], width: int) -> RankerWeights:
    net, line = values["net"], values["line"]
    read = {
        name: np.array(net[name], dtype=np.float32)
        for name in ("mean", "scale", "linear", "hidden", "bias", "out")
    }
    straight = {
        name: np.array(line[name], dtype=np.float32) for name in ("mean", "scale", "weights")
    }
    members, size = read["bias"].shape
    shapes = {
        "mean": (width,),
        "scale": (width,),
        "linear": (members, width),
        "hidden": (members, width, size),
        "out": (members, size),
    }
    for name, shape in shapes.items():
        if read[name].shape != shape:
            raise ValueError(name)
    for name, array in straight.items():
        if array.shape != (width,):
            raise ValueError(name)
    if not all(np.isfinite(array).all() for array in (*read.values(), *straight.values())):
        raise ValueError("not finite")
    if (
        (straight["weights"] < 0).any()
        or (read["scale"] <= 0).any()
        or (straight["scale"] <= 0).any()
    ):
        raise ValueError("sign")
    return RankerWeights(
        Net(**read, base=float(net["base"])), Calibration(**straight, half=float(line["half"]))
    )


SIGNS = (
    "card",
    "best_example",
    "examples",
    "title",
    "text",
    "name",
    "trigger",
    "span",
    "exact",
    "card_share",
    "card_rarest",
    "card_count",
    "card_strongest",
    "example_share",
    "example_rarest",
    "example_count",
    "example_second",
    "example_mean",
    "either_share",
    "example_number",
    "somebody",
    "style",
    "helper",
    "weak",
    "name_rarity",
    "name_words",
    "trigger_rarity",
    "covered",
    "covered_all",
    "both",
    "close_second",
    "close_third",
    "meant",
    "title_lead",
    "text_lead",
    "alike",
    "alike_covered",
    "title_usual",
    "text_usual",
    "words",
    "mass",
    "spans",
    "penned",
    "card_below",
    "best_example_below",
    "examples_below",
    "title_below",
    "text_below",
    "name_below",
    "trigger_below",
    "span_below",
    "card_share_below",
    "example_share_below",
    "score",
    "lead",
)


FILE = Path(__file__).resolve().parents[1] / "data" / "ranker.json"
CUTTER_FILE = FILE.with_name("cutter.json")


@cache
def ranker() -> Ranker:
    return ranker_of(json.loads(FILE.read_text("utf-8")), SIGNS)


@cache
def cutter() -> Cutter:
    return cutter_of(json.loads(CUTTER_FILE.read_text("utf-8")))
