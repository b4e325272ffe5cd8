"""The room that files take while they come: each its own, whatever the others have and in whichever
order they end.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import permutations
from pathlib import Path

import pytest

from stylus_ext.core.fetching import MB, NotFetched
from stylus_ext.downloads import Budget, Ledger


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_files_of_one_size_at_once_give_back_their_own_room(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    budget = Budget(largest=10 * MB, quota=100 * MB, keep_free=0, ledger=Ledger(tmp_path))
    stacks = [ExitStack() for _ in range(3)]
    rooms = [stack.enter_context(budget.room(tmp_path, 2 * MB, "one")) for stack in stacks]
    assert budget.caps().left == 94 * MB
    for gone, number in enumerate(order):
        if gone:
            budget.follow(rooms[number], tmp_path, 2 * MB + gone, "one")
        stacks[number].close()
    assert budget.caps().left == 100 * MB


def test_what_others_have_is_not_there_any_more(tmp_path: Path) -> None:
    budget = Budget(largest=10 * MB, quota=5 * MB, keep_free=0, ledger=Ledger(tmp_path))
    with budget.room(tmp_path, 3 * MB, "one"):
        with (
            pytest.raises(NotFetched, check=lambda error: error.code == "quota"),
            budget.room(tmp_path, 3 * MB, "two"),
        ):
            raise AssertionError("there is no room for it")
        assert budget.caps().left == 2 * MB
    assert budget.caps().left == 5 * MB
