from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.evaluation.figures import Run, area, by_kind, kind_of, separations


def asked(name: str, kind: str, *gold: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": kind, "gold": [{"id": adapter} for adapter in gold], **more}


def run(name: str, ranking: str = "", selected: str = "", score: float = 0.0) -> Run:
    return Run(name, tuple(ranking), score, tuple(selected))


def test_one_kind_by_hand() -> None:
    queries = [asked("1", "named", "a"), asked("2", "named", "b", "c"), asked("3", "named", "z")]
    runs = {"1": run("1", "abc", "a"), "2": run("2", "abc", "ab"), "3": run("3", "abc")}
    (figures,) = by_kind(queries, runs)
    assert figures.recall[1] == pytest.approx(1 / 3)
    assert figures.recall[5] == pytest.approx(2 / 3)
    assert figures.mrr == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert figures.precision == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert figures.selected == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert figures.picks == pytest.approx(1.0)
    assert figures.alone is None


def test_nothing_to_find_asks_only_whether_it_was_left_alone() -> None:
    queries = [asked("1", "none", none_basis="x-out"), asked("2", "none", none_basis="x-out")]
    (figures,) = by_kind(queries, {"1": run("1", "ab"), "2": run("2", "ab", "a")})
    assert figures.as_values() == {"kind": "none:x-out", "queries": 2, "picks": 0.5, "left_alone": 0.5}


def test_human_use_counts_twice_the_second_time_without_tools() -> None:
    query = asked("1", "human-lora-use", "a", "t")
    query["gold"][1]["utility"] = True
    whole, without = by_kind([query], {"1": run("1", "ab")})
    assert (whole.recall[5], without.recall[5]) == (0.5, 1.0)
    assert without.kind == "human-lora-use, no utility"


def test_kinds_have_their_parts() -> None:
    assert kind_of({"kind": "none", "none_basis": "lexical"}) == "none:lexical"
    assert kind_of({"kind": "loo"}) == "loo"


def test_separation_of_pairs() -> None:
    queries = [asked("1", "none", none_basis="human-no-lora"), asked("2", "named", "a"), asked("3", "loo", "a")]
    runs = {"1": run("1", score=0.5), "2": run("2", score=0.9), "3": run("3", score=0.1)}
    assert separations(queries, runs) == {"human-no-lora / named": 1.0, "human-no-lora / loo": 0.0}


SCORES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_area_is_the_share_of_won_pairs(positive: list[float], negative: list[float]) -> None:
    pairs = [(one > other) + (one == other) / 2 for one in positive for other in negative]
    assert math.isclose(area(positive, negative), sum(pairs) / len(pairs))
