from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Pick, Task
from stylus_ext.core.masks import Mask
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Weights
from stylus_ext.core.tags.weights import own_weight, weigh, written

UNCAPPED = Weights(total_cap=0.0)


def composed(*tasks: tuple[float | None, ...]) -> Composition:
    """One task for each tuple, one pick for each weight, numbered through from 1."""
    number = 0
    made, picks = [], []
    for place, weights in enumerate(tasks):
        made.append(Task(f"task {place}", place, place + 1))
        for weight in weights:
            number += 1
            picks.append(Pick(AdapterKey.civitai(number), place, f"pick {number}", weight, "fits"))
    return Composition(tuple(made), tuple(picks))


def mask(*numbers: int) -> Mask:
    return Mask(frozenset(AdapterKey.civitai(number) for number in numbers))


def by_number(weights: dict[AdapterKey, float]) -> dict[int, float]:
    return {int(key.value): weight for key, weight in weights.items()}


def test_a_weight_is_divided_by_the_picks_of_its_task_that_are_on() -> None:
    composition = composed((0.8, 0.6), (1.0,))
    assert by_number(weigh(composition, mask(1, 2, 3), UNCAPPED)) == {1: 0.4, 2: 0.3, 3: 1.0}
    assert by_number(weigh(composition, mask(1, 3), UNCAPPED)) == {1: 0.8, 3: 1.0}


def test_an_unknown_weight_is_the_default() -> None:
    assert by_number(weigh(composed((None,)), mask(1), UNCAPPED)) == {1: 0.8}
    assert by_number(weigh(composed((None,)), mask(1), Weights(default_weight=0.5))) == {1: 0.5}


def test_the_published_codes_factor_is_an_option() -> None:
    assert by_number(weigh(composed((0.8,)), mask(1), Weights(paper_factor=True))) == {1: 0.64}


def test_strength_scales_every_weight() -> None:
    assert by_number(weigh(composed((0.8,), (1.0,)), mask(1, 2), Weights(strength=0.5))) == {1: 0.4, 2: 0.5}


def test_the_total_is_capped_by_default_and_the_proportions_stay() -> None:
    weights = by_number(weigh(composed((1.0,), (1.0,), (1.0,)), mask(1, 2, 3), Weights()))
    assert weights == {1: 0.5, 2: 0.5, 3: 0.5}


def test_the_users_own_adapters_take_from_the_cap() -> None:
    assert by_number(weigh(composed((0.8,)), mask(1), Weights(total_cap=1.5), own=1.0)) == {1: 0.5}
    assert by_number(weigh(composed((0.8,)), mask(1), Weights(total_cap=1.5), own=9.0)) == {1: 0.0}


@pytest.mark.parametrize(
    ("text", "total"),
    [("a dog", 0.0), ("<lora:a:0.7> and <lyco:b:-0.5>", 1.2), ("<lora:a>", 1.0), ("<hypernet:h:1>", 0.0)],
)
def test_what_the_user_wrote_is_added_up(text: str, total: float) -> None:
    assert own_weight(parse_prompt(text).user_tags) == pytest.approx(total)


@pytest.mark.parametrize(("weight", "text"), [(0.8, "0.8"), (1.0, "1"), (0.27, "0.27"), (-0.5, "-0.5"), (0.0, "0")])
def test_weights_are_written_short(weight: float, text: str) -> None:
    assert written(weight) == text


@given(
    st.lists(st.lists(st.floats(-2, 2), min_size=1, max_size=4), min_size=1, max_size=5),
    st.floats(0, 3),
    st.floats(0.1, 4),
    st.booleans(),
)
def test_the_cap_holds_to_the_last_digit(tasks: list[list[float]], own: float, cap: float, paper: bool) -> None:
    composition = composed(*map(tuple, tasks))
    everything = Mask(frozenset(pick.key for pick in composition.picks))
    weights = weigh(composition, everything, Weights(total_cap=cap, paper_factor=paper), own)
    assert set(weights) == everything.on
    assert sum(map(abs, weights.values())) <= max(0.0, cap - own) + 1e-5
    assert all(float(written(weight)) == weight for weight in weights.values())
