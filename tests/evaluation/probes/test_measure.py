"""The measure on features whose strength, direction and breaking point are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.probe import BROKEN, FAILED, NO_EFFECT
from stylus_ext.evaluation.probes.measure import Array, Measurement, ProbeFeatures, measure

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
PROMPTS, SEEDS, DIMENSIONS = 3, 2, 64
SHAPE = (len(WEIGHTS), PROMPTS, SEEDS)


def planted(
    scale: float, *, shared: float = 1.0, seed: int = 0, weights: tuple[float, ...] = WEIGHTS
) -> Array:
    """Features that move by `scale` per weight; `shared` of it in one direction for all."""
    random = np.random.default_rng(seed)
    prompts = random.normal(size=(PROMPTS, 1, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    base = prompts + random.normal(size=(PROMPTS, SEEDS, DIMENSIONS)) * 0.03
    common = _unit(random.normal(size=DIMENSIONS))
    own = _unit(random.normal(size=(PROMPTS, SEEDS, DIMENSIONS)))
    direction = shared * common + (1 - shared) * own
    return np.stack([base + weight * scale * direction for weight in weights])


def _unit(values: Array) -> Array:
    return np.asarray(values / np.linalg.norm(values, axis=-1, keepdims=True))


def measured(values: Array, blank: Array | None = None, failed: Array | None = None) -> Measurement:
    none = np.zeros(values.shape[:3], np.bool_)
    return measure(
        ProbeFeatures(
            WEIGHTS,
            values,
            none if blank is None else blank.astype(np.bool_),
            none if failed is None else failed.astype(np.bool_),
        )
    )


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0.05, 0.6), min_size=2, max_size=5, unique=True),
    st.integers(0, 1000),
    st.floats(0.2, 1.0),
)
def test_strength_has_the_order_of_the_scales(
    scales: list[float], seed: int, shared: float
) -> None:
    found = [measured(planted(each, seed=seed, shared=shared)).strength for each in scales]
    order = sorted(range(len(scales)), key=scales.__getitem__)
    assert [found[at] for at in order] == sorted(found)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 1000.0), st.integers(0, 1000))
def test_the_unit_of_the_features_does_not_matter(factor: float, seed: int) -> None:
    values = planted(0.4, seed=seed)
    one, other = measured(values), measured(values * factor + 3.0 * factor)
    assert other.strength == pytest.approx(one.strength, abs=2e-4)
    assert other.consistency == pytest.approx(one.consistency, abs=2e-4)
    assert (other.breaks_at, other.trouble) == (one.breaks_at, one.trouble)


def test_strength_is_the_effect_per_weight() -> None:
    found = measured(planted(0.3))
    steps = np.diff(found.effects)
    assert steps == pytest.approx(steps[0], abs=2e-4)
    assert found.strength == pytest.approx(float(found.effects[-1]) / 1.5, rel=1e-3)
    assert measured(planted(0.6)).strength == pytest.approx(2 * found.strength, rel=1e-3)


def test_one_direction_for_all_is_more_consistent_than_many() -> None:
    found = [measured(planted(0.3, shared=each)).consistency for each in (1.0, 0.6, 0.0)]
    assert found[0] == pytest.approx(1.0)
    assert found[0] > found[1] > found[2]
    assert found[2] < 0.2


def test_nothing_is_wrong_with_an_ordinary_one() -> None:
    found = measured(planted(0.4))
    assert (found.breaks_at, found.weight, found.trouble) == (None, None, "")


def test_one_that_changes_nothing_is_named() -> None:
    found = measured(planted(0.0))
    assert (found.trouble, found.strength, found.consistency) == (NO_EFFECT, 0.0, 0.0)
    assert found.weight is None


def test_a_faint_one_gets_the_weight_that_it_was_trained_for() -> None:
    assert measured(planted(0.08)).weight == 1.0


@pytest.mark.parametrize("first", [3, 4, 6])
def test_pictures_that_lose_their_prompts_are_broken_from_there(first: int) -> None:
    values = planted(0.3)
    values[first:] = np.random.default_rng(1).normal(size=DIMENSIONS) / 8 + 0.001
    found = measured(values)
    assert found.breaks_at == WEIGHTS[first]
    assert found.trouble == ""
    if WEIGHTS[first] <= 1.0:
        assert found.weight is not None
        assert found.weight < WEIGHTS[first - 1] + 1e-9


def test_blank_pictures_are_broken() -> None:
    blank = np.zeros(SHAPE)
    blank[5:, :2] = 1
    assert measured(planted(0.3), blank).breaks_at == 1.25
    one = np.zeros(SHAPE)
    one[5, 0, 0] = 1
    assert measured(planted(0.3), one).breaks_at is None


def test_a_jump_breaks_and_a_steady_rise_does_not() -> None:
    values = planted(0.2)
    values[5:] += 3.0 * planted(1.0)[-1] - 3.0 * planted(1.0)[0]
    assert measured(values).breaks_at == 1.25
    assert measured(planted(4.0)).breaks_at is None


def test_one_odd_weight_between_sound_ones_breaks_nothing() -> None:
    values = planted(0.3)
    values[3] = values[3].mean(axis=(0, 1))
    assert measured(values).breaks_at is None


@pytest.mark.parametrize("how", ["nan", "infinite", "blank", "huge", "failed"])
def test_a_file_that_breaks_every_picture_is_named(how: str) -> None:
    values, blank, failed = planted(0.3), np.zeros(SHAPE), np.zeros(SHAPE)
    if how == "nan":
        values[1:] = np.nan
    elif how == "infinite":
        values[1:, :, :, 0] = np.inf
    elif how == "blank":
        blank[1:] = 1
    elif how == "failed":
        failed[1:] = 1
    else:
        values[1:] = np.random.default_rng(2).normal(size=(6, 1, 1, DIMENSIONS)) * 50
    found = measured(values, blank, failed)
    assert found.trouble == (FAILED if how == "failed" else BROKEN)
    assert (found.breaks_at, found.weight, found.strength) == (0.25, None, 0.0)


def test_one_stronger_than_another_prompt_gets_a_lower_weight() -> None:
    found = measured(planted(2.4))
    assert found.breaks_at is None
    assert found.weight is not None
    assert 0 < found.weight < 0.8


def test_pictures_without_a_lora_must_be_sound() -> None:
    blank = np.zeros(SHAPE)
    blank[0, 0, 0] = 1
    with pytest.raises(InvalidInput):
        measured(planted(0.3), blank)
    with pytest.raises(InvalidInput):
        measured(np.zeros((*SHAPE, DIMENSIONS)))


def test_weights_rise_from_0() -> None:
    values, none = planted(0.3), np.zeros(SHAPE, np.bool_)
    for weights in ((0.1, *WEIGHTS[1:]), (0.0, 0.5, 0.25, *WEIGHTS[3:]), WEIGHTS[:-1]):
        with pytest.raises(InvalidInput):
            ProbeFeatures(weights, values, none, none)
