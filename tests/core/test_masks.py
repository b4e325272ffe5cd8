from __future__ import annotations

import itertools
import math
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, Pick, Task, choose_masks
from stylus_ext.core.errors import InvalidInput


def composed(*sizes: int, pinned: tuple[int, ...] = ()) -> Composition:
    """One task for each size with that many picks, numbered through; `pinned` names picks by
    number.
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
                )
            )
    return Composition(tuple(tasks), tuple(picks))


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
