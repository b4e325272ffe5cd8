from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.evaluation.selection import Run, auc, by_kind, kind_of, separations


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
    assert figures.as_values() == {
        "kind": "none:x-out",
        "queries": 2,
        "picks": 0.5,
        "left_alone": 0.5,
    }


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
    queries = [
        asked("1", "none", none_basis="human-no-lora"),
        asked("2", "named", "a"),
        asked("3", "loo", "a"),
    ]
    runs = {"1": run("1", score=0.5), "2": run("2", score=0.9), "3": run("3", score=0.1)}
    assert separations(queries, runs) == {"human-no-lora / named": 1.0, "human-no-lora / loo": 0.0}


SCORES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_area_is_the_share_of_won_pairs(positive: list[float], negative: list[float]) -> None:
    pairs = [(one > other) + (one == other) / 2 for one in positive for other in negative]
    assert math.isclose(auc(positive, negative), sum(pairs) / len(pairs))


def test_several_gold_adapters_by_hand() -> None:
    """Gold a, b, c; a stands first, b twelfth, c nowhere; of three selected one is right."""
    ranking = ("a", *(f"x{number}" for number in range(10)), "b")
    query = asked("1", "loo", "a", "b", "c")
    (figures,) = by_kind([query], {"1": Run("1", ranking, 0.0, ("a", "x1", "x2"))})
    assert figures.recall == {
        1: pytest.approx(1 / 3),
        5: pytest.approx(1 / 3),
        10: pytest.approx(1 / 3),
        150: pytest.approx(2 / 3),
    }
    assert [figures.mrr, figures.precision, figures.selected, figures.picks] == pytest.approx(
        [1.0, 1 / 3, 1 / 3, 3.0]
    )


def test_the_cuts_count_places_from_one() -> None:
    query = asked("1", "loo", "z")

    def recall(place: int) -> dict[int, float]:
        ranking = tuple(f"x{number}" for number in range(place - 1)) + ("z",)
        return dict(by_kind([query], {"1": Run("1", ranking, 0.0, ())})[0].recall)

    assert recall(5) == {1: 0.0, 5: 1.0, 10: 1.0, 150: 1.0}
    assert recall(6) == {1: 0.0, 5: 0.0, 10: 1.0, 150: 1.0}
    assert recall(150)[150] == 1.0
    assert recall(151)[150] == 0.0


def test_a_kind_with_some_empty_gold_has_both_figures() -> None:
    queries = [asked("1", "mixed", "a"), asked("2", "mixed"), asked("3", "mixed")]
    (figures,) = by_kind(
        queries, {"1": run("1", "a", "a"), "2": run("2", "ab"), "3": run("3", "ab", "b")}
    )
    assert [figures.queries, figures.alone, figures.picks] == pytest.approx([1, 0.5, 2 / 3])
    assert figures.selected == 1.0


def test_kinds_come_in_the_order_of_their_names_with_their_own_queries() -> None:
    queries = [
        asked("1", "named", "a"),
        asked("2", "human", "a", subkind="loo"),
        asked("3", "named", "b"),
    ]
    found = by_kind(queries, {number: run(number, "a") for number in "123"})
    assert [(each.kind, each.queries) for each in found] == [
        ("human:loo", 1),
        ("human:loo, no utility", 1),
        ("named", 2),
    ]


@given(
    st.permutations("abcdef"), st.sets(st.sampled_from("abcdefz"), min_size=1), st.integers(0, 6)
)
def test_more_depth_never_lowers_recall_and_shares_stay_shares(
    order: list[str], gold: set[str], taken: int
) -> None:
    (figures,) = by_kind(
        [asked("1", "loo", *sorted(gold))], {"1": Run("1", tuple(order), 0.0, tuple(order[:taken]))}
    )
    shares = [figures.recall[cut] for cut in sorted(figures.recall)]
    assert shares == sorted(shares)
    assert figures.recall[150] == pytest.approx(len(gold - {"z"}) / len(gold))
    assert all(
        0 <= share <= 1
        for share in (*shares, figures.mrr or 0, figures.precision or 0, figures.selected or 0)
    )
    hits = len(gold.intersection(order[:taken]))
    assert (figures.selected or 0) * len(gold) == pytest.approx(hits)


@given(SCORES, SCORES)
def test_areas_of_the_two_sides_add_up_to_one(positive: list[float], negative: list[float]) -> None:
    assert math.isclose(auc(positive, negative) + auc(negative, positive), 1.0)
    assert math.isclose(
        auc([score * 3 + 1 for score in positive], [score * 3 + 1 for score in negative]),
        auc(positive, negative),
    )
