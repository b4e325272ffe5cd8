from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, Pick, Task
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import WeightSettings
from stylus_ext.core.tags import own_weight, weigh, without_excess, written

UNCAPPED = WeightSettings(total_cap=0.0)


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
    assert by_number(weigh(composed((None,)), mask(1), WeightSettings(default_weight=0.5))) == {
        1: 0.5
    }


def test_the_published_codes_factor_is_an_option() -> None:
    assert by_number(weigh(composed((0.8,)), mask(1), WeightSettings(paper_factor=True))) == {
        1: 0.64
    }


def test_strength_scales_every_weight() -> None:
    assert by_number(weigh(composed((0.8,), (1.0,)), mask(1, 2), WeightSettings(strength=0.5))) == {
        1: 0.4,
        2: 0.5,
    }


def test_the_total_is_capped_by_default_and_the_proportions_stay() -> None:
    weights = by_number(weigh(composed((1.0,), (1.0,), (1.0,)), mask(1, 2, 3), WeightSettings()))
    assert weights == {1: 0.5, 2: 0.5, 3: 0.5}


def test_the_users_own_adapters_take_from_the_cap() -> None:
    assert by_number(weigh(composed((0.8,)), mask(1), WeightSettings(total_cap=1.5), own=1.0)) == {
        1: 0.5
    }
    assert by_number(weigh(composed((0.8,)), mask(1), WeightSettings(total_cap=1.5), own=9.0)) == {
        1: 0.0
    }


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("a dog", 0.0),
        ("<lora:a:0.7> and <lyco:b:-0.5>", 1.2),
        ("<lora:a>", 1.0),
        ("<lora:a:abc> <lora:b:0.5:x> <lora:c:te=0.3:unet=y> <lora:d:te=0.4>", 0.4),
        ("<hypernet:h:1>", 0.0),
    ],
)
def test_what_the_user_wrote_is_added_up(text: str, total: float) -> None:
    assert own_weight(parse_prompt(text).user_tags) == pytest.approx(total)


@pytest.mark.parametrize(
    ("weight", "text"), [(0.8, "0.8"), (1.0, "1"), (0.27, "0.27"), (-0.5, "-0.5"), (0.0, "0")]
)
def test_weights_are_written_short(weight: float, text: str) -> None:
    assert written(weight) == text


@given(
    st.lists(st.lists(st.floats(-2, 2), min_size=1, max_size=4), min_size=1, max_size=5),
    st.floats(0, 3),
    st.floats(0.1, 4),
    st.booleans(),
)
def test_the_cap_holds_to_the_last_digit(
    tasks: list[list[float]], own: float, cap: float, paper: bool
) -> None:
    composition = composed(*map(tuple, tasks))
    everything = Mask(frozenset(pick.key for pick in composition.picks))
    weights = weigh(composition, everything, WeightSettings(total_cap=cap, paper_factor=paper), own)
    assert set(weights) == everything.on
    assert sum(map(abs, weights.values())) <= max(0.0, cap - own) + 1e-5
    assert all(float(written(weight)) == weight for weight in weights.values())


def said_by_user(composition: Composition, *numbers: int) -> Composition:
    spoken = {AdapterKey.civitai(number) for number in numbers}
    return replace(
        composition,
        picks=tuple(replace(pick, user_weight=pick.key in spoken) for pick in composition.picks),
    )


def test_under_the_cap_the_others_give_way_to_what_the_user_said() -> None:
    """He typed 0.6 into a card, and 0.4 stood there."""
    composition = said_by_user(composed((0.8,), (0.6,), (0.8,)), 2)
    assert by_number(weigh(composition, mask(1, 2, 3), WeightSettings(total_cap=1.5))) == {
        1: 0.45,
        2: 0.6,
        3: 0.45,
    }
    assert by_number(weigh(composition, mask(1, 2, 3), WeightSettings(total_cap=1.5), own=0.5)) == {
        1: 0.2,
        2: 0.6,
        3: 0.2,
    }
    assert by_number(weigh(composition, mask(1, 2, 3), WeightSettings(total_cap=0.6))) == {
        1: 0.21,
        2: 0.16,
        3: 0.21,
    }


@given(
    st.lists(st.floats(-2, 2), min_size=1, max_size=6),
    st.sets(st.integers(1, 6)),
    st.floats(0.1, 3),
    st.floats(0, 2),
)
def test_what_the_user_said_stays_unless_it_alone_is_over_the_cap(
    weights: list[float], spoken: set[int], cap: float, own: float
) -> None:
    composition = said_by_user(composed(*((weight,) for weight in weights)), *spoken)
    found = by_number(weigh(composition, mask(*range(1, 7)), WeightSettings(total_cap=cap), own))
    room = max(0.0, cap - own)
    assert sum(map(abs, found.values())) <= room + 1e-4
    fixed = {number: weights[number - 1] for number in spoken if number <= len(weights)}
    if sum(map(abs, fixed.values())) < room:
        assert all(abs(found[number] - weight) < 0.0101 for number, weight in fixed.items())


def ranged(composition: Composition, **ranges: tuple[float, float]) -> Composition:
    """With the author's range of picks by number, as `_2=(0.6, 0.8)`."""
    known = {AdapterKey.civitai(int(name[1:])): value for name, value in ranges.items()}

    def with_range(pick: Pick) -> Pick:
        least, most = known.get(pick.key, (None, None))
        return replace(pick, min_weight=least, max_weight=most)

    return replace(composition, picks=tuple(map(with_range, composition.picks)))


def scored(composition: Composition, *scores: float) -> Composition:
    picks = zip(composition.picks, scores, strict=True)
    return replace(composition, picks=tuple(replace(pick, score=score) for pick, score in picks))


def test_the_weakest_gives_way_before_a_minimum_is_passed() -> None:
    composition = scored(composed((0.8,), (0.8,), (0.8,)), 0.9, 0.6, 0.7)
    with_minimum = ranged(composition, _1=(0.7, 0.9))
    assert by_number(weigh(composition, mask(1, 2, 3), WeightSettings())) == {
        1: 0.5,
        2: 0.5,
        3: 0.5,
    }
    assert by_number(weigh(with_minimum, mask(1, 2, 3), WeightSettings())) == {
        1: 0.75,
        2: 0.0,
        3: 0.75,
    }


def test_what_nobody_asked_for_gives_way_first() -> None:
    composition = scored(composed((0.8,), (0.8,), (0.8,)), 0.5, 0.6, 0.7)
    first, *rest = ranged(composition, _1=(0.7, 0.9)).picks
    composition = replace(composition, picks=(replace(first, asked_for=True), *rest))
    weights = by_number(weigh(composition, mask(1, 2, 3), WeightSettings()))
    assert [number for number, weight in weights.items() if not weight] == [2]


def test_strength_may_go_below_the_minimum_since_the_user_chose_it() -> None:
    composition = ranged(composed((0.8,)), _1=(0.7, 0.9))
    assert by_number(weigh(composition, mask(1), WeightSettings(strength=0.5))) == {1: 0.4}


def test_other_weights_stay_in_the_range() -> None:
    composition = ranged(composed((0.8,), (0.8,)), _1=(0.75, 0.82))
    for factor, weights in ((0.85, {1: 0.75, 2: 0.68}), (1.15, {1: 0.82, 2: 0.92})):
        chosen = Mask(mask(1, 2).on, factor)
        assert by_number(weigh(composition, chosen, UNCAPPED)) == weights
    said = said_by_user(composition, 1, 2)
    assert by_number(weigh(said, Mask(mask(1, 2).on, 0.85), UNCAPPED)) == {1: 0.8, 2: 0.8}


@pytest.mark.parametrize("weights", [(0.8,), (0.8, 0.8), (0.8, 0.8, 0.8), (1.5, 1.5)])
def test_other_weights_differ_under_the_cap_too(weights: tuple[float, ...]) -> None:
    composition = composed(*((weight,) for weight in weights))
    on = mask(*range(1, len(weights) + 1)).on
    sets = [weigh(composition, Mask(on, factor), WeightSettings()) for factor in (1, 0.85, 1.15)]
    assert len({tuple(each.values()) for each in sets}) == 3
    assert all(sum(each.values()) <= 1.5 + 1e-5 for each in sets)


def test_what_has_no_room_becomes_a_near_miss() -> None:
    composition = scored(composed((0.8,), (0.8,), (0.8,)), 0.9, 0.8, 0.7)
    found, notes = without_excess(ranged(composition, _1=(0.7, 0.9)), WeightSettings())
    assert [pick.name for pick in found.picks] == ["pick 1", "pick 2"]
    assert [miss.name for miss in found.near_misses] == ["pick 3"]
    assert [note.code for note in notes] == ["no_room"]
    assert without_excess(composition, WeightSettings()) == (composition, ())


@given(
    st.lists(
        st.tuples(st.floats(0.05, 1.5), st.floats(0, 1), st.floats(0, 1), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    st.floats(0.1, 3),
    st.floats(0, 2),
    st.sampled_from([0.85, 1.0, 1.15]),
)
def test_no_weight_is_below_the_minimum_of_its_author(
    drawn: list[tuple[float, float, float, bool]], cap: float, own: float, factor: float
) -> None:
    composition = composed(*((weight,) for weight, *_ in drawn))
    picks = tuple(
        replace(pick, min_weight=weight * share, max_weight=1.5, score=score, asked_for=asked)
        for pick, (weight, share, score, asked) in zip(composition.picks, drawn, strict=True)
    )
    composition = replace(composition, picks=picks)
    chosen = Mask(mask(*range(1, 7)).on, factor)
    found = weigh(composition, chosen, WeightSettings(total_cap=cap), own)
    assert set(found) == {pick.key for pick in picks}
    assert sum(found.values()) <= max(0.0, cap - own) + 1e-5
    for pick in picks:
        assert pick.min_weight is not None
        assert found[pick.key] == 0 or found[pick.key] > pick.min_weight - 0.01
