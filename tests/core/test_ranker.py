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
    SURE_OF_CALLED,
    TOP,
    Calibration,
    Net,
    Ranker,
    RankerWeights,
    ranker_of,
    values_of,
)

NAMES = ("card", "called", "tag_likeness", "score", "spans", "exact", "exact_worth")
FLOATS = st.floats(-50, 50, width=32)
LINES = st.tuples(
    FLOATS,
    FLOATS,
    st.floats(0, 1, width=32),
    FLOATS,
    st.integers(0, 40).map(float),
    st.floats(0, 5, width=32),
    st.floats(0, 5, width=32),
)


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


@given(st.lists(LINES, min_size=1, max_size=5))
def test_what_is_read_back_scores_the_same(lines: list[tuple[float, ...]]) -> None:
    once = ranker_of(json.loads(json.dumps(values_of(ranker()))), NAMES)
    again = ranker_of(json.loads(json.dumps(values_of(once))), NAMES)
    values = np.array(lines, dtype=np.float32)
    assert np.array_equal(once.scores(values), again.scores(values))
    assert np.array_equal(once.certainties(values), again.certainties(values))


@given(LINES, st.integers(0, 20))
def test_scores_and_certainties_lie_within_bounds(line: tuple[float, ...], seed: int) -> None:
    values, made = np.array([line], dtype=np.float32), ranker(seed)
    assert 0 <= made.scores(values)[0] <= TOP
    assert 0 <= made.certainties(values)[0] <= 1


@given(
    LINES,
    st.sampled_from(["card", "called", "score"]),
    st.floats(0, 30, width=32),
    st.integers(0, 20),
)
def test_more_evidence_never_makes_less_sure(
    line: tuple[float, ...], name: str, more: float, seed: int
) -> None:
    low = np.array([line], dtype=np.float32)
    high = low.copy()
    high[0, NAMES.index(name)] += np.float32(more)
    made = ranker(seed)
    assert made.certainties(high)[0] >= made.certainties(low)[0]


def test_what_is_called_by_a_coined_name_is_sure_in_every_prompt() -> None:
    made = ranker()
    lowest = np.array([[-50, 7, share, -50, 9, 0, 0] for share in (0, 0.4, 1)], dtype=np.float32)
    assert made.certainties(lowest).min() >= np.float32(SURE_OF_CALLED)


def test_a_whole_tag_that_is_rare_and_no_common_english_calls() -> None:
    rows = [(1, 3, 3), (1, 3, 2), (1, 1, 1), (0, 3, 3)]
    values = np.array(
        [[-50, 0, share, -50, 9, exact, worth] for share, exact, worth in rows],
        dtype=np.float32,
    )
    assert ranker().called(values).tolist() == [True, False, False, False]


@given(LINES)
def test_scores_lie_between_those_of_both_kinds_of_prompt(line: tuple[float, ...]) -> None:
    values, made = np.array([line], dtype=np.float32), ranker()
    fixed = values[:, NAMES.index("score")]
    tags, captions = made.tags.net(values, fixed)[0], made.captions.net(values, fixed)[0]
    low, high = min(tags, captions), max(tags, captions)
    assert low - 1e-4 <= made.scores(values)[0] <= high + 1e-4


@given(LINES, st.integers(1, 10**6), st.integers(1, 10**6))
def test_among_more_nobody_is_surer(line: tuple[float, ...], few: int, many: int) -> None:
    """What does not fit looks the better by chance the more of it there is."""
    values, made = np.array([line], dtype=np.float32), ranker()
    assert (
        made.certainties(values, max(few, many))[0] <= made.certainties(values, min(few, many))[0]
    )
    assert np.array_equal(made.certainties(values, 10), made.certainties(values, 50))


def test_nobody_gets_no_score() -> None:
    assert ranker().scores(np.zeros((0, len(NAMES)), dtype=np.float32)).shape == (0,)
    assert ranker().certainties(np.zeros((0, len(NAMES)), dtype=np.float32)).shape == (0,)


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
