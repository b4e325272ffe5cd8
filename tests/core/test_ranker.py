"""The learned ranker: what is read back scores the same, more evidence never makes less sure, and
broken weights are refused.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.selection.ranker import (
    COINED,
    SURE_OF_COINED,
    TOP,
    Calibration,
    Net,
    Ranker,
    RankerWeights,
    ranker_of,
    values_of,
)

NAMES = ("card", "exact", "has_syntax", "score")
FLOATS = st.floats(-50, 50, width=32)


def ranker(seed: int = 0) -> Ranker:
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    def weights() -> RankerWeights:
        width = len(NAMES)
        net = Net(
            some(width),
            np.abs(some(width)) + 0.5,
            some(2, width),
            some(2, width, 3),
            some(2, 3),
            some(2, 3),
            0.5,
        )
        return RankerWeights(
            net, Calibration(some(width), np.abs(some(width)) + 0.5, np.abs(some(width)), 0.7)
        )

    return Ranker(NAMES, weights(), weights())


@given(st.lists(st.tuples(*[FLOATS] * 4), min_size=1, max_size=5), st.booleans())
def test_what_is_read_back_scores_the_same(lines: list[tuple[float, ...]], is_tags: bool) -> None:
    once = ranker_of(json.loads(json.dumps(values_of(ranker()))), NAMES)
    again = ranker_of(json.loads(json.dumps(values_of(once))), NAMES)
    values = np.array(lines, dtype=np.float32)
    assert np.array_equal(once.scores(values, is_tags), again.scores(values, is_tags))
    assert np.array_equal(once.certainties(values, is_tags), again.certainties(values, is_tags))


@given(st.tuples(*[FLOATS] * 4), st.booleans(), st.integers(0, 20))
def test_scores_and_certainties_lie_within_bounds(
    line: tuple[float, ...], is_tags: bool, seed: int
) -> None:
    values, made = np.array([line], dtype=np.float32), ranker(seed)
    assert 0 <= made.scores(values, is_tags)[0] <= TOP
    assert 0 <= made.certainties(values, is_tags)[0] <= 1


@given(
    st.tuples(*[FLOATS] * 4),
    st.sampled_from(["card", "exact", "score"]),
    st.floats(0, 30, width=32),
    st.booleans(),
    st.integers(0, 20),
)
def test_more_evidence_never_makes_less_sure(
    line: tuple[float, ...], name: str, more: float, is_tags: bool, seed: int
) -> None:
    low = np.array([line], dtype=np.float32)
    low[0, NAMES.index("exact")] = abs(low[0, NAMES.index("exact")])
    high = low.copy()
    high[0, NAMES.index(name)] += np.float32(more)
    made = ranker(seed)
    assert made.certainties(high, is_tags)[0] >= made.certainties(low, is_tags)[0]


def test_a_coined_word_that_stands_alone_is_sure_in_tags_and_in_penned_captions() -> None:
    made = ranker()
    lowest = np.array(
        [[-50, np.sqrt(COINED) + 0.01, 0, -50], [-50, np.sqrt(COINED) + 0.01, 1, -50]],
        dtype=np.float32,
    )
    assert made.certainties(lowest, True).min() >= np.float32(SURE_OF_COINED)
    plain, penned = made.certainties(lowest, False)
    assert plain < SURE_OF_COINED <= penned + 1e-6


@given(st.tuples(*[FLOATS] * 4), st.booleans(), st.integers(1, 10**6), st.integers(1, 10**6))
def test_among_more_nobody_is_surer(
    line: tuple[float, ...], is_tags: bool, few: int, many: int
) -> None:
    """What does not fit looks the better by chance the more of it there is."""
    values, made = np.array([line], dtype=np.float32), ranker()
    assert (
        made.certainties(values, is_tags, max(few, many))[0]
        <= made.certainties(values, is_tags, min(few, many))[0]
    )
    assert np.array_equal(
        made.certainties(values, is_tags, 10), made.certainties(values, is_tags, 50)
    )


def test_nobody_gets_no_score() -> None:
    assert ranker().scores(np.zeros((0, 4), dtype=np.float32), True).shape == (0,)
    assert ranker().certainties(np.zeros((0, 4), dtype=np.float32), False).shape == (0,)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("features",), ["card"]),
        (("tags",), None),
        (("tags", "net", "mean"), [1.0]),
        (("tags", "net", "hidden"), [[[1.0]]]),
        (("captions", "line", "weights"), [-1.0, 0.0, 0.0, 0.0]),
        (("captions", "line", "weights"), [1.0]),
        (("tags", "net", "scale"), [0.0, 1.0, 1.0, 1.0]),
        (("tags", "net", "out"), "x"),
        (("tags", "net", "mean"), [float("nan")] * 4),
        (("tags", "line", "half"), None),
    ],
)
def test_weights_that_are_none_are_refused(path: tuple[str, ...], value: Any) -> None:
    values = values_of(ranker())
    place = values
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InvalidInput, match="ranker"):
        ranker_of(values, NAMES)
