"""A small learned network that segments sentences into runs an adapter could serve.

Trained on English photo captions; the rules decide for tags and for texts with too few known words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.phrases import (
    ONLY_SPACE,
    STOP,
    WEAK,
    WEAK_VERBS,
    WORD,
    folded,
    is_weak,
    runs,
)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

LONGEST = 6
"""Words of a run."""

_ENDINGS = ("ing", "ed", "ly", "es", "s", "y", "er", "al", "en", "an", "le")
_LEAST_STEM = 3
_NUMBER = re.compile(r"\d+")

CLASSES = 5 + len(_ENDINGS) + 1
EDGES = 4
"""The words whose numbers stand for a run: before it, its first, its last, behind it; those between
are added up.
"""

PLAIN = LONGEST + 6


@dataclass(frozen=True, slots=True)
class Runs:
    """`places[i]` are the first word of run `i` and its end; `neighbours[i]` -1 if none."""

    words: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    classes: Floats
    places: Ints
    neighbours: Ints
    plain: Floats

    def offsets_of(self, first: int, behind: int) -> tuple[int, int]:
        return self.offsets[first][0], self.offsets[behind - 1][1]


def possible_runs(text: str) -> Runs:
    matches = list(WORD.finditer(text))
    words = tuple(folded(match.group()) for match in matches)
    offsets = tuple((match.start(), match.end()) for match in matches)
    joined = [
        bool(ONLY_SPACE.fullmatch(text, left[1], right[0]))
        for left, right in zip(offsets, offsets[1:], strict=False)
    ]
    places = [
        (first, behind)
        for first in range(len(words))
        for behind in range(first + 1, min(len(words), first + LONGEST) + 1)
        if all(joined[first : behind - 1])
    ]
    neighbours = [
        (
            first - 1 if first and joined[first - 1] else -1,
            behind if behind < len(words) and joined[behind - 1] else -1,
        )
        for first, behind in places
    ]
    classes = np.array([_classes(word) for word in words], dtype=np.float32).reshape(-1, CLASSES)
    plain = _plain(text, words, offsets, places, neighbours)
    shape = (-1, 2)
    return Runs(
        words,
        offsets,
        classes,
        np.array(places, dtype=np.int64).reshape(shape),
        np.array(neighbours, dtype=np.int64).reshape(shape),
        plain,
    )


def network_input(found: Runs, tokens: Floats) -> Floats:
    """Network input: one row per run, from token vectors with one row per word."""
    none = np.zeros((1, tokens.shape[1]), dtype=np.float32)
    every = np.concatenate([tokens, none])  # -1: no neighbour
    upto = np.concatenate([none, np.cumsum(tokens, axis=0, dtype=np.float32)])
    first, behind = found.places.T
    before, after = found.neighbours.T
    within = upto[np.maximum(behind - 1, first + 1)] - upto[first + 1]
    return np.concatenate(
        [every[before], every[first], every[behind - 1], every[after], within, found.plain], axis=1
    )


def _classes(word: str) -> list[bool]:
    ending = next(
        (end for end in _ENDINGS if word.endswith(end) and len(word) >= len(end) + _LEAST_STEM), ""
    )
    hand = [
        word in STOP,
        word in WEAK,
        word in WEAK_VERBS,
        _NUMBER.fullmatch(word) is not None,
        "-" in word,
    ]
    return [*hand, *(ending == end for end in (*_ENDINGS, ""))]


def _plain(
    text: str,
    words: tuple[str, ...],
    offsets: tuple[tuple[int, int], ...],
    places: list[tuple[int, int]],
    neighbours: list[tuple[int, int]],
) -> Floats:
    """Features of a run: length, the rules' judgement, neighbours."""
    by_rule = set(runs(text))
    starts, ends = ({run[side] for run in by_rule} for side in (0, 1))
    weak = [is_weak(word) for word in words]
    out = np.zeros((len(places), PLAIN), dtype=np.float32)
    for line, (first, behind), (before, after) in zip(out, places, neighbours, strict=True):
        start, end = offsets[first][0], offsets[behind - 1][1]
        line[behind - first - 1] = 1
        line[LONGEST:] = (
            (start, end) in by_rule,
            start in starts,
            end in ends,
            sum(weak[first:behind]),
            before < 0,
            after < 0,
        )
    return out


NO_WORD, UNKNOWN = 0, 1
"""Lines of `vectors` that belong to no word."""

MIN_SCORE = 0.4
"""What a run must be worth to be a task; the runs are chosen so that they are worth most above it,
taken together.
"""

KNOWN = 0.4
"""Share of the words that it must know."""

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Segmenter:
    """The network; `words` maps a word to its row in `vectors`."""

    words: Mapping[str, int]
    vectors: Floats
    hidden: Floats
    bias: Floats
    out: Floats
    rest: float

    def __call__(self, text: str) -> Iterator[tuple[int, int]]:
        found = possible_runs(text)
        if not len(found.places) or not self._knows(found.words):
            yield from runs(text)
            return
        for first, behind in best_runs(found, self.scores(found)):
            content = [number for number in range(first, behind) if found.words[number] not in STOP]
            if content:
                yield found.offsets_of(content[0], content[-1] + 1)

    def scores(self, found: Runs) -> Floats:
        """Score of each run, 0..1."""
        lines = [self.words.get(word, UNKNOWN) for word in found.words]
        tokens = np.concatenate([self.vectors[lines], found.classes], axis=1)
        inner = np.maximum(network_input(found, tokens) @ self.hidden + self.bias, 0.0)
        worth: Floats = (1.0 / (1.0 + np.exp(-(inner @ self.out + np.float32(self.rest))))).astype(
            np.float32
        )
        return worth

    def _knows(self, words: Sequence[str]) -> bool:
        return sum(word in self.words or is_weak(word) for word in words) >= KNOWN * len(words)


def best_runs(found: Runs, worth: Floats) -> list[tuple[int, int]]:
    """Return the non-overlapping runs above `LEAST` with the highest total score, in order."""
    most = [0.0] * (len(found.words) + 1)
    taken: list[int | None] = [None] * (len(found.words) + 1)
    ending: dict[int, list[tuple[int, float]]] = {}
    for (first, behind), value in zip(found.places.tolist(), worth.tolist(), strict=True):
        ending.setdefault(behind, []).append((first, value - MIN_SCORE))
    for behind in range(1, len(most)):
        most[behind] = most[behind - 1]
        for first, value in ending.get(behind, ()):
            if most[first] + value > most[behind]:
                most[behind], taken[behind] = most[first] + value, first
    chosen: list[tuple[int, int]] = []
    at = len(found.words)
    while at:
        first_of = taken[at]
        if first_of is None:
            at -= 1
        else:
            chosen.append((first_of, at))
            at = first_of
    return chosen[::-1]


def segmenter_of(values: Mapping[str, Any]) -> Segmenter:
    """Read a network from plain values; raises if they are incomplete."""
    try:
        words = {str(word): number for number, word in enumerate(values["words"], UNKNOWN + 1)}
        vectors, hidden, bias, out = (
            np.array(values[name], dtype=np.float32)
            for name in ("vectors", "hidden", "bias", "out")
        )
        rest = float(values["rest"])
    except (KeyError, TypeError, ValueError) as problem:
        raise InvalidInput(
            f"These are no weights of the segmenter: {problem!r} is missing or wrong."
        ) from problem
    width = (EDGES + 1) * (vectors.shape[-1] + CLASSES) + PLAIN
    whole = (
        vectors.ndim == 2  # noqa: PLR2004
        and len(vectors) == len(words) + UNKNOWN + 1
        and hidden.shape == (width, len(bias))
        and bias.shape == out.shape
    )
    if not (
        whole
        and all(
            np.isfinite(array).all() for array in (vectors, hidden, bias, out, np.float32(rest))
        )
    ):
        raise InvalidInput(
            "These are no weights of the segmenter: their sizes do not match, or a number is"
            " missing."
        )
    return Segmenter(words, vectors, hidden, bias, out, rest)


def values_of(segmenter: Segmenter) -> dict[str, Any]:
    """Return the network as rounded plain values for JSON."""
    rounded = {
        name: np.round(getattr(segmenter, name).astype(np.float64), DIGITS).tolist()
        for name in ("vectors", "hidden", "bias", "out")
    }
    return {
        "words": sorted(segmenter.words, key=lambda word: segmenter.words[word]),
        **rounded,
        "rest": round(segmenter.rest, DIGITS),
    }
