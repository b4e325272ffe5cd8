"""The learned ranker: features of candidates in, a score and a certainty for each out.

There are two sets of weights, one for tag prompts and one for captions; the scores of a prompt
are between both, by its tag-likeness. It needs numpy only.
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

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.core.prompt.phrases import EVEN
from stylus_ext.selection.lexical.segment import Floats
from stylus_ext.selection.retrieve.features import FEATURES

CLIP = 6.0
"""Standard deviations at which a value is clipped."""

TOP, WIDTH = 10.0, 6.0
"""Highest score, and width of the logistic curve that squeezes scores below it."""

DIGITS = 5

REFERENCE, RISE, FEWEST = 1_500, 1.7, 1_000
"""The bigger the catalogue, the better the best misfit looks by chance. RISE is how much more
evidence is needed for each tenfold of the REFERENCE size, measured from a third of it to the whole;
below FEWEST entries nothing changes.
"""

RARE = 6.6
"""Least idf mass (nats) of a whole tag that calls a card."""

SPECIFIC = 0.7
"""Least share of it that is left when common English counts less."""

MANY_SPANS = 6.0
"""Spans from which on a list of tags is judged as such."""

SURE_OF_CALLED = 0.6
"""Least certainty of an adapter whose coined name or trigger stands in the prompt word for word,
whatever else is known: a file of the user's has no examples and often no text.
"""

REGIMES = ("tags", "captions")


@dataclass(frozen=True, slots=True)
class Net:
    """The mean of a few networks with one hidden layer, plus `base` times the fixed score.

    The first axis of `linear`, `hidden`, `bias` and `out` numbers the networks.
    """

    mean: Floats
    scale: Floats
    linear: Floats
    hidden: Floats
    bias: Floats
    out: Floats
    base: float

    def __call__(self, values: Floats, fixed: Floats) -> Floats:
        """Scores between 0 and TOP: always positive, so that a factor below one lowers them."""
        clipped = np.clip((values - self.mean) / self.scale, -CLIP, CLIP)
        total = self.base * fixed
        for linear, hidden, bias, out in zip(
            self.linear, self.hidden, self.bias, self.out, strict=True
        ):
            layer = np.maximum(clipped @ hidden + bias, 0.0) @ out
            total = total + (clipped @ linear + layer) / len(self.linear)
        squeezed: Floats = (TOP / (1.0 + np.exp(-total / WIDTH))).astype(np.float32)
        return squeezed


@dataclass(frozen=True, slots=True)
class Calibration:
    """A line that rises with every feature; at `half` a candidate is as likely meant as not."""

    mean: Floats
    scale: Floats
    weights: Floats
    half: float

    def __call__(self, values: Floats) -> Floats:
        clipped = np.clip((values - self.mean) / self.scale, -CLIP, CLIP)
        return (clipped @ self.weights - np.float32(self.half)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class RankerWeights:
    net: Net
    line: Calibration


@dataclass(frozen=True, slots=True)
class Ranker:
    """`features` names the columns for which the weights were trained."""

    features: tuple[str, ...]
    tags: RankerWeights
    captions: RankerWeights

    def scores(self, values: Floats) -> Floats:
        fixed = self._column(values, "score")
        share = self._column(values, "tag_likeness")
        return _between(share, self.tags.net(values, fixed), self.captions.net(values, fixed))

    def certainties(self, values: Floats, among: int = REFERENCE) -> Floats:
        """Certainty of each row (0..1); `among` is the number of entries to choose from."""
        further = RISE * math.log10(max(among, FEWEST) / REFERENCE)
        line = self.line(values) - np.float32(further)
        sure = (1.0 / (1.0 + np.exp(-line))).astype(np.float32)
        return np.where(self.called(values), np.maximum(sure, SURE_OF_CALLED), sure)

    def called(self, values: Floats) -> NDArray[np.bool_]:
        """Which rows are named word for word, so that they are sure whatever else is known.

        In a list of tags a whole tag calls, if it is rare and not all of it is common English.
        """
        mass, worth = (self._column(values, name) ** 2 for name in ("exact", "exact_worth"))
        is_exact = (mass >= RARE) & (worth >= SPECIFIC * mass)
        is_tag = self._column(values, "tag_likeness") >= EVEN
        found: NDArray[np.bool_] = (self._column(values, "called") > 0) | (is_exact & is_tag)
        return found

    def line(self, values: Floats) -> Floats:
        """The log odds that a row is meant."""
        return _between(self.tag_share(values), self.tags.line(values), self.captions.line(values))

    def tag_share(self, values: Floats) -> Floats:
        """How far the certainty of a row is that of a list of tags.

        A short list is judged like a caption: it has few words that match by chance.
        """
        few = np.clip((self._column(values, "spans") - 1.0) / (MANY_SPANS - 1.0), 0.0, 1.0)
        share: Floats = (self._column(values, "tag_likeness") * few).astype(np.float32)
        return share

    def _column(self, values: Floats, name: str) -> Floats:
        column: Floats = values[:, self.features.index(name)]
        return column


def _between(share: Floats, tags: Floats, captions: Floats) -> Floats:
    between: Floats = (share * tags + (1.0 - share) * captions).astype(np.float32)
    return between


_NET_ARRAYS = ("mean", "scale", "linear", "hidden", "bias", "out")
_LINE_ARRAYS = ("mean", "scale", "weights")


def ranker_of(values: Mapping[str, Any], features: Sequence[str]) -> Ranker:
    """From the output of `values_of`; refused if incomplete or trained for other features."""
    try:
        if tuple(values["features"]) != tuple(features):
            raise InvalidInput(
                "The ranker's weights are for other features than this version has. Train anew."
            )
        return Ranker(tuple(features), *(_weights(values[name], len(features)) for name in REGIMES))
    except (KeyError, TypeError, ValueError) as problem:
        raise InvalidInput(f"Not valid weights of the ranker: {reason_of(problem)}.") from problem


def values_of(ranker: Ranker) -> dict[str, Any]:
    """As plain values for JSON, rounded so that what is read back scores the same everywhere."""
    regimes = {name: _plain(getattr(ranker, name)) for name in REGIMES}
    return {"features": list(ranker.features), **regimes}


def _plain(weights: RankerWeights) -> dict[str, Any]:
    net, line = weights.net, weights.line
    return {
        "net": {name: _rounded(getattr(net, name)) for name in _NET_ARRAYS} | {"base": net.base},
        "line": {name: _rounded(getattr(line, name)) for name in _LINE_ARRAYS}
        | {"half": round(line.half, DIGITS)},
    }


def _rounded(values: Floats) -> Any:
    return np.round(values.astype(np.float64), DIGITS).tolist()


def _weights(values: Mapping[str, Any], width: int) -> RankerWeights:
    net, line = values["net"], values["line"]
    nets = {name: np.array(net[name], dtype=np.float32) for name in _NET_ARRAYS}
    lines = {name: np.array(line[name], dtype=np.float32) for name in _LINE_ARRAYS}
    members, size = nets["bias"].shape
    shapes = {
        "mean": (width,),
        "scale": (width,),
        "linear": (members, width),
        "hidden": (members, width, size),
        "bias": (members, size),
        "out": (members, size),
    }
    for name, array in nets.items():
        if array.shape != shapes[name]:
            raise ValueError(name)
    for name, array in lines.items():
        if array.shape != (width,):
            raise ValueError(name)
    if not all(np.isfinite(array).all() for array in (*nets.values(), *lines.values())):
        raise ValueError("not finite")
    if (lines["weights"] < 0).any() or (nets["scale"] <= 0).any() or (lines["scale"] <= 0).any():
        raise ValueError("sign")
    return RankerWeights(
        Net(**nets, base=float(net["base"])), Calibration(**lines, half=float(line["half"]))
    )


_FILE = Path(__file__).resolve().parents[1] / "data" / "ranker.json"


@cache
def ranker() -> Ranker:
    return ranker_of(json.loads(_FILE.read_text("utf-8")), FEATURES)
