from __future__ import annotations

import itertools
import math
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, Pick, Task
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.masks import choose_masks


def composed(
    *sizes: int,
    pinned: tuple[int, ...] = (),
    asked_for: tuple[int, ...] = (),
    alternatives: tuple[int, ...] = (),
) -> Composition:
    """One task for each size with that many picks, numbered through; `pinned` and `asked_for` name
    picks by number, `alternatives` tasks by their place.
    """
    numbers = itertools.count()
    tasks, picks = [], []
    for place, size in enumerate(sizes):
        tasks.append(Task(f"task {place}", place * 10, place * 10 + 5))
        for _ in range(size):
            number = next(numbers)
            picks.append(
                Pick(
                    AdapterKey.civitai(number),
                    place * 10,
                    f"pick {number}",
                    0.8,
                    "fits",
                    pinned=number in pinned,
                    asked_for=number in asked_for,
                )
            )
    others = (Pick(AdapterKey.civitai(90 + at), at * 10, "o", 0.8, "") for at in alternatives)
    return Composition(tuple(tasks), tuple(picks), alternatives=tuple(others))


def count_masks(composition: Composition, scheme: str) -> int:
    """How many combinations of picks there are."""
    sizes = filter(None, (len(composition.of_task(task.start)) for task in composition.tasks))
    states = [2**size if scheme == "subsets" else 2 if size == 1 else size + 2 for size in sizes]
    return math.prod(states)


def shown(masks: tuple[Mask, ...]) -> list[str]:
    return ["".join(sorted(key.value for key in mask.on)) for mask in masks]


def test_the_first_batch_has_everything_on_whatever_its_seed() -> None:
    for seed in range(20):
        assert shown(choose_masks(composed(2, 1), "paper", [seed])) == ["012"]


def test_paper_takes_all_or_one_or_none_of_each_task_crossed_over_tasks() -> None:
    composition = composed(3, 1)
    masks = shown(choose_masks(composition, "paper", range(10)))
    expected = {a + b for a in ("012", "0", "1", "2", "") for b in ("3", "")}
    assert len(masks) == len(expected) == count_masks(composition, "paper")
    assert set(masks) == expected


def test_subsets_takes_every_subset_of_each_task() -> None:
    composition = composed(3, 1)
    masks = shown(choose_masks(composition, "subsets", range(16)))
    assert len(set(masks)) == 16 == count_masks(composition, "subsets")


def test_paper_and_subsets_are_the_same_up_to_two_picks() -> None:
    composition = composed(1, 2)
    papers = shown(choose_masks(composition, "paper", range(8)))
    assert set(papers) == set(shown(choose_masks(composition, "subsets", range(8))))


def test_all_is_one_mask() -> None:
    assert set(shown(choose_masks(composed(3, 2), "all", range(7)))) == {"01234"}


def test_pinned_picks_are_on_in_every_mask() -> None:
    masks = shown(choose_masks(composed(2, 1, pinned=(2,)), "paper", range(9)))
    assert all("2" in mask for mask in masks)
    assert len(set(masks[:4])) == 4


def test_one_pick_alternates_from_the_first_batch_on() -> None:
    for seed in range(6):
        masks = shown(choose_masks(composed(1), "paper", range(seed, seed + 8)))
        assert masks[:2] == ["0", ""]
        assert masks.count("0") == 4


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(InvalidInput):
        choose_masks(composed(1), "sideways", [1])


def test_nothing_to_choose_gives_empty_masks() -> None:
    assert choose_masks(Composition(), "paper", [5, 6, 7]) == (Mask(frozenset()),) * 3


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    first=st.integers(0, 2**32),
    stride=st.integers(1, 8),
    scheme=st.sampled_from(["paper", "subsets"]),
)
def test_no_combination_comes_again_before_all_have_been_shown(
    sizes: list[int], first: int, stride: int, scheme: str
) -> None:
    composition = composed(*sizes)
    count = count_masks(composition, scheme)
    masks = shown(
        choose_masks(
            composition, scheme, [first + batch * stride for batch in range(2 * count)], stride
        )
    )
    assert len(set(masks[:count])) == count
    assert len(set(masks[count:])) == count


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(2, 12))
@example(34, 1, 4)
def test_a_later_batch_goes_by_its_own_seed(first: int, stride: int, batches: int) -> None:
    """Two runs that share the seeds of their later batches share the masks, but where the first
    batch took one away.
    """
    composition = composed(2, 2, 2)
    long = choose_masks(
        composition, "paper", [first + batch * stride for batch in range(batches + 1)], stride
    )
    short = choose_masks(
        composition, "paper", [first + batch * stride for batch in range(1, batches + 1)], stride
    )
    assert sum(a != b for a, b in zip(long[2:], short[1:], strict=True)) <= 1


def test_the_order_depends_on_the_composition() -> None:
    one = composed(3, 3, 3)
    other = Composition(one.tasks, (*one.picks[1:], one.picks[0]))
    assert choose_masks(one, "paper", range(30)) != choose_masks(other, "paper", range(30))


def test_a_million_million_combinations_cost_nothing() -> None:
    composition = composed(*[5] * 12)
    started = time.process_time()  # what others do on this machine meanwhile is not its cost
    masks = choose_masks(composition, "subsets", range(1000))
    assert len({mask.on for mask in masks}) == 1000
    assert time.process_time() - started < 2
    assert count_masks(composition, "subsets") == 2**60


def varied(composition: Composition, batches: int) -> list[Mask]:
    return list(choose_masks(composition, "varied", range(batches)))


def test_varied_leaves_no_batch_without_a_pick() -> None:
    masks = shown(tuple(varied(composed(1, 1), 9)))
    assert masks[0] == "01"
    assert set(masks[:3]) == {"01", "0", "1"}


def test_varied_keeps_what_the_prompt_asks_for_and_paper_does_not() -> None:
    composition = composed(1, 1, 1, asked_for=(1,))
    assert all("1" in mask for mask in shown(tuple(varied(composition, 8))))
    assert not all("1" in mask for mask in shown(choose_masks(composition, "paper", range(8))))


def test_one_pick_alone_varies_by_its_weight() -> None:
    masks = varied(composed(1), 3)
    assert shown(tuple(masks)) == ["0"] * 3
    assert masks[0].weight_factor == 1.0
    assert len({mask.weight_factor for mask in masks}) == 3


def test_with_few_sets_the_second_best_comes_first() -> None:
    masks = varied(composed(1, 1, asked_for=(0,), alternatives=(1,)), 3)
    assert {frozenset(shown((mask,))) for mask in masks} == {
        frozenset({"01"}),
        frozenset({"0"}),
        frozenset({"091"}),
    }
    assert {mask.weight_factor for mask in masks} == {1.0}


def test_what_is_asked_for_has_no_second_best() -> None:
    masks = varied(composed(1, asked_for=(0,), alternatives=(0,)), 5)
    assert set(shown(tuple(masks))) == {"0"}


def test_enough_sets_need_neither_other_picks_nor_other_weights() -> None:
    masks = varied(composed(1, 1, alternatives=(0, 1)), 9)
    assert all(len(mask.on) <= 2 and not mask.on & {AdapterKey.civitai(90)} for mask in masks)
    assert {mask.weight_factor for mask in masks} == {1.0}


chosen_sizes = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@given(
    sizes=chosen_sizes,
    named=st.sets(st.integers(0, 5)),
    pinned=st.sets(st.integers(0, 5)),
    others=st.sets(st.integers(0, 2)),
    first=st.integers(0, 2**32),
    stride=st.integers(1, 8),
)
def test_varied_is_never_empty_keeps_what_is_wanted_and_repeats_late(
    sizes: list[int], named: set[int], pinned: set[int], others: set[int], first: int, stride: int
) -> None:
    composition = composed(
        *sizes,
        pinned=tuple(pinned),
        asked_for=tuple(named),
        alternatives=tuple(place for place in others if place < len(sizes)),
    )
    seeds = [first + batch * stride for batch in range(30)]
    masks = choose_masks(composition, "varied", seeds, stride)
    assert masks == choose_masks(composition, "varied", seeds, stride)
    everything = frozenset(pick.key for pick in composition.picks)
    assert masks[0] == Mask(everything)
    wanted = {pick.key for pick in composition.picks if pick.asked_for or pick.pinned}
    assert all(mask.on and wanted <= mask.on for mask in masks)
    distinct = list(dict.fromkeys(masks))
    assert len(distinct) >= 3
    assert masks[: len(distinct)] == tuple(distinct)
    assert len({mask.on for mask in distinct}) >= 3 or len(everything - wanted) <= 1
