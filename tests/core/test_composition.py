from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Pick, Task
from stylus_ext.core.errors import InvalidInput


def pick(key: int, task: int) -> Pick:
    return Pick(AdapterKey.civitai(key), task, f"pick {key}", 0.8, "fits")


def task(start: int) -> Task:
    return Task("fox", start, start + 3)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), max_size=6),
    st.lists(st.integers(0, 3), max_size=5),
)
def test_it_stands_exactly_when_keys_and_tasks_are_unique_and_known(
    picks: list[tuple[int, int]], starts: list[int]
) -> None:
    right = (
        max(Counter(key for key, _ in picks).values(), default=1) == 1
        and max(Counter(starts).values(), default=1) == 1
        and {start for _, start in picks} <= set(starts)
    )
    made = [pick(key, start) for key, start in picks]
    tasks = tuple(task(start) for start in starts)
    if not right:
        with pytest.raises(InvalidInput):
            Composition(tasks, tuple(made))
        return
    composition = Composition(tasks, tuple(made))
    assert Counter(of for start in starts for of in composition.of_task(start)) == Counter(made)


@pytest.mark.parametrize(
    ("tasks", "picks", "said"),
    [
        ((task(0), task(4)), (pick(1, 0), pick(1, 4)), "twice"),
        ((task(0), task(0)), (), "same place"),
        ((task(0),), (pick(1, 9),), "none of its tasks"),
    ],
)
def test_each_fault_has_its_sentence(
    tasks: tuple[Task, ...], picks: tuple[Pick, ...], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        Composition(tasks, picks)


def test_picks_of_a_task_keep_their_order() -> None:
    composition = Composition((task(0), task(4)), (pick(3, 4), pick(1, 0), pick(2, 4)))
    assert [str(each.key) for each in composition.of_task(4)] == ["civitai:3", "civitai:2"]
    assert composition.of_task(99) == ()
