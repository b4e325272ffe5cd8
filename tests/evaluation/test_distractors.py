"""The table of sizes: what a threshold lets through when there are more adapters, and that each
prompt is asked where its adapter is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation import distractors
from stylus_ext.evaluation.distractors import LinePosition, _rows, lines, run_distractors
from stylus_ext.evaluation.ranker import FOLDS, fold_of, part_of
from stylus_ext.selection.ranker import FEWEST, RISE
from tests.evaluation.test_selection import write
from tests.evaluation.test_training import ADAPTERS, QUERIES
from tests.fakes import Watch


def places(best: float, gold: float) -> list[LinePosition]:
    """Twenty prompts for nothing from `best` down, and two with an adapter."""
    nothing = [
        LinePosition(regime, True, best - step / 10)
        for regime in ("tags", "captions")
        for step in range(20)
    ]
    return nothing + [
        LinePosition(regime, False, gold + step)
        for regime in ("tags", "captions")
        for step in (0.0, -10.0)
    ]


def test_a_threshold_that_stays_lets_more_through_and_one_that_moves_as_much() -> None:
    small, big = _rows([(FEWEST, places(1.0, 2.0)), (10 * FEWEST, places(1.0 + RISE, 2.0 + RISE))])
    assert (small["adapters"], big["adapters"]) == (FEWEST, 10 * FEWEST)
    assert small["captions"] == {"fixed": 0.05, "moving": 0.05, "above": 0.5}
    assert big["captions"] == {"fixed": 0.9, "moving": 0.05, "above": 0.5}
    assert big["tags"] == big["captions"]
    head, *rows = lines({"sizes": [small, big]})
    assert [row.split()[0] for row in rows] == [str(FEWEST), str(10 * FEWEST)]
    assert len(head) == len(rows[0])


def test_where_one_side_is_missing_it_is_said() -> None:
    with pytest.raises(InvalidInput):
        list(_rows([(150, [place for place in places(1.0, 2.0) if place.nothing])]))


def test_a_text_always_belongs_to_the_same_part() -> None:
    assert {part_of(str(number), 3) for number in range(40)} == {0, 1, 2}
    assert fold_of("a fox") == part_of("a fox", FOLDS)


@pytest.mark.long
def test_the_whole_way_with_the_real_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distractors, "PARTS", (2, 1))
    catalogue, queries = (
        write(tmp_path / "catalogue.jsonl", ADAPTERS),
        write(tmp_path / "queries.jsonl", QUERIES),
    )
    report = run_distractors(catalogue, [queries], Watch())
    assert [row["adapters"] for row in report["sizes"]] == [5, 10]
    assert all(row["captions"]["above"] == row["tags"]["above"] == 1.0 for row in report["sizes"])
