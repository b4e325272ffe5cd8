"""The statistics of `evaluate`, as properties and by simulated runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.head_to_head import sign_test
from stylus_ext.evaluation.pictures import statistics
from stylus_ext.evaluation.pictures.statistics import (
    ALPHA,
    bootstrap,
    compare,
    holm,
    sample_size,
)

NUMBERS = st.floats(-1e6, 1e6)
CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(CHANCES)
def test_holm_raises_keeps_the_order_and_is_at_most_bonferroni(values: list[float]) -> None:
    corrected = holm(values)
    for value, after in zip(values, corrected, strict=True):
        assert value <= after <= min(1.0, value * len(values)) or math.isclose(value, after)
    assert [corrected[place] for place in sorted(range(len(values)), key=values.__getitem__)] == (
        sorted(corrected)
    )
    assert min(corrected) == min(1.0, min(values) * len(values))


def test_holm_gives_the_known_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@settings(max_examples=30, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_an_interval_lies_within_the_values_and_is_the_same_again(values: list[float]) -> None:
    found = bootstrap(values)
    slack = 1e-9 * max(1.0, *map(abs, values))
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack
    assert found == bootstrap(values)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.integers(0, 99), st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_swapping_the_arms_swaps_the_sign(pairs: dict[int, tuple[float, float]]) -> None:
    first = {key: pair[0] for key, pair in pairs.items()}
    second = {key: pair[1] for key, pair in pairs.items()}
    one, other = compare(first, {"x": second})["x"], compare(second, {"x": first})["x"]
    assert one.difference.mean == -other.difference.mean
    assert (one.higher, one.lower, one.equal) == (other.lower, other.higher, other.equal)
    assert one.p == other.p
    assert one.difference.low == pytest.approx(-other.difference.high, rel=1e-6, abs=1e-6)


def test_only_prompts_of_both_arms_are_compared() -> None:
    found = compare({1: 0.0, 2: 0.0}, {"x": {2: 1.0, 3: 9.0}, "y": {4: 1.0}})
    assert list(found) == ["x"]
    assert (found["x"].higher, found["x"].difference.mean) == (1, 1.0)


def test_an_interval_covers_the_true_mean_about_as_often_as_it_should() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for run in range(200):
        found = bootstrap(list(random.normal(2.0, 1.0, 40)), seed=run)
        covered += found.low <= 2.0 <= found.high
    assert 175 <= covered <= 200


@pytest.mark.parametrize("arms", [1, 3])
def test_equal_arms_are_not_called_different_more_often_than_allowed(
    arms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The correction holds for all arms of a run together."""
    monkeypatch.setattr(statistics, "RESAMPLES", 100)  # the intervals do not matter here
    random = np.random.default_rng(7)
    runs = 1000
    wrong = 0
    for _ in range(runs):
        base, *others = (dict(enumerate(random.normal(0, 1, 40))) for _ in range(arms + 1))
        named = {str(number): arm for number, arm in enumerate(others)}
        wrong += any(one.differs for one in compare(base, named).values())
    assert wrong <= ALPHA * runs


@pytest.mark.parametrize("effect", [0.3, 0.5, 1.0])
def test_the_sample_size_has_the_power_that_it_states(effect: float) -> None:
    count = sample_size(effect).prompts
    random = np.random.default_rng(3)
    higher = (random.normal(effect, 1.0, (1000, count)) > 0).sum(axis=1)
    found = sum(sign_test(int(won), count - int(won)) < ALPHA for won in higher)
    assert 0.7 <= found / 1000 <= 0.93


@given(st.floats(0.05, 2), st.integers(1, 6))
def test_more_arms_and_smaller_effects_need_more_prompts(effect: float, arms: int) -> None:
    count = sample_size(effect, arms).prompts
    assert sample_size(effect, arms + 1).prompts >= count
    assert sample_size(effect / 2, arms).prompts >= count
    assert sample_size(-effect, arms).prompts == count
    assert sign_test(count, 0) <= ALPHA / arms


@pytest.mark.parametrize("effect", [0.0, math.nan, math.inf])
def test_an_impossible_effect_is_refused(effect: float) -> None:
    with pytest.raises(InvalidInput):
        sample_size(effect)
