"""Work that is done behind: in its order, one at a time, nothing lost, and an error reaches whoever
gives it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import hypothesis
import pytest
from hypothesis import strategies as st

from stylus_ext.catalogue.embed import BackgroundWriter
from stylus_ext.core.errors import Cancelled, StoreProblem


@hypothesis.given(st.lists(st.integers(), max_size=30))
def test_the_order_is_kept_and_nothing_is_lost(numbers: list[int]) -> None:
    done: list[int] = []
    given(*(partial(done.append, number) for number in numbers))
    assert done == numbers


def test_it_is_done_beside_and_one_at_a_time() -> None:
    began, go_on, running, most = threading.Event(), threading.Event(), [0], [0]

    def work() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        began.set()
        go_on.wait(30)
        running[0] -= 1

    with BackgroundWriter() as behind:
        behind.give(work)
        assert began.wait(30), "the giver goes on while it is done"
        threading.Timer(0.05, go_on.set).start()
        behind.give(work)
        behind.give(work)
    assert (most[0], running[0]) == (1, 0)


def fail() -> None:
    raise StoreProblem("The disk is full.")


def given(*works: Callable[[], None]) -> None:
    with BackgroundWriter() as behind:
        for work in works:
            behind.give(work)


def test_an_error_reaches_the_next_that_is_given_which_is_not_done() -> None:
    done: list[int] = []
    with pytest.raises(StoreProblem):
        given(fail, lambda: done.append(1))
    assert done == []


def test_an_error_of_the_last_is_raised_at_the_end() -> None:
    done: list[int] = []
    with pytest.raises(StoreProblem):
        given(lambda: done.append(1), fail)
    assert done == [1]


def test_a_stop_leaves_nothing_half_done() -> None:
    done: list[int] = []

    def slow() -> None:
        time.sleep(0.1)
        done.append(1)

    def stopped() -> None:
        with BackgroundWriter() as behind:
            behind.give(slow)
            raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        stopped()
    assert done == [1]
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith("stylus-behind")
    ]


def test_a_stop_outweighs_an_error_behind_it() -> None:
    def stopped() -> None:
        with BackgroundWriter() as behind:
            behind.give(fail)
            raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        stopped()
