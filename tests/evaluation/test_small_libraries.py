"""Small libraries: what is drawn, and what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from stylus_ext.core.composition import Pick
from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation import small
from stylus_ext.evaluation.small import (
    ANSWERED_SHARE,
    SmallLibrary,
    counts_of,
    draw_library,
    golds_of,
    lines,
    run_small,
)
from tests.evaluation.test_robustness import pick
from tests.evaluation.test_selection import write
from tests.evaluation.test_training import ADAPTERS, QUERIES
from tests.fakes import Watch

KNOWN = [f"x:{number}" for number in range(200)]
ASKED: list[dict[str, Any]] = [
    {"id": f"q{number}", "prompt": f"thing {number}", "gold": [{"id": f"x:{number}"}]}
    for number in range(200)
]


@pytest.mark.parametrize("size", [10, 30, 100])
def test_a_library_answers_three_prompts_of_ten(size: int) -> None:
    library = draw_library(KNOWN, ASKED, size, Random(1))
    assert len(library.adapters) == size
    assert all(golds_of(query) <= library.adapters for query in library.answered)
    assert not any(golds_of(query) & library.adapters for query in library.others)
    share = len(library.answered) / (len(library.answered) + len(library.others))
    assert share == pytest.approx(ANSWERED_SHARE, abs=0.02)
    assert library == draw_library(KNOWN, ASKED, size, Random(1))


def test_utility_adapters_are_not_asked_for() -> None:
    gold = [{"id": "x:1"}, {"id": "x:2", "utility": True}]
    assert golds_of({"gold": gold}) == {"x:1"}


def test_what_is_counted() -> None:
    library = SmallLibrary(frozenset(), tuple(ASKED[:2]), tuple(ASKED[2:5]))
    found: dict[str, Sequence[Pick]] = {
        "thing 0": [pick("x:0"), pick("x:9")],
        "thing 3": [pick("x:0")],
    }
    counts = counts_of(library, lambda prompt: found.get(prompt, []))
    assert counts.as_values() == {
        "answered": 2,
        "others": 3,
        "precision": 0.3333,
        "recall": 0.5,
        "false": 0.3333,
        "left_alone": 0.6667,
    }
    row = {"adapters": 10, "libraries": 1, **counts.as_values()}
    head, line = lines({"sizes": [row]})
    assert len(head) == len(line)


def test_prompts_without_adapters_are_refused(tmp_path: Path) -> None:
    queries = [query for query in QUERIES if not query["gold"]]
    with pytest.raises(InvalidInput):
        run_small(
            write(tmp_path / "catalogue.jsonl", ADAPTERS),
            [write(tmp_path / "queries.jsonl", queries)],
            Watch(),
            10,
        )


def test_the_whole_way_with_the_real_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "SIZES", (4, 50))
    report = run_small(
        write(tmp_path / "catalogue.jsonl", ADAPTERS),
        [write(tmp_path / "queries.jsonl", QUERIES)],
        Watch(),
        10,
    )
    (row,) = report["sizes"]
    assert row["adapters"] == 4
    assert row["answered"] + row["others"] >= 10
    assert row["recall"] > 0.5
