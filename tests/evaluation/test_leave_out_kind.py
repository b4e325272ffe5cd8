"""The ranker on kinds of prompts that it was not trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.evaluation import leave_out_kind
from stylus_ext.evaluation.leave_out_kind import METHODS, group_of, is_for_nothing, run_left_out
from stylus_ext.evaluation.ranker import TrainingExample, train
from stylus_ext.selection.retrieve.features import FEATURES
from tests.evaluation.test_selection import write
from tests.evaluation.test_training import ADAPTERS, QUERIES, examples
from tests.fakes import Watch

LOO = [
    {
        "id": f"o{number}",
        "prompt": f"a {adapter['name'].lower()} under a tree",
        "kind": "loo",
        "gold": [{"id": adapter["id"]}],
    }
    for number, adapter in enumerate(ADAPTERS)
] + [
    {
        "id": f"t{number}",
        "prompt": f"{adapter['name'].lower()}, tree, sky, wind",
        "kind": "loo-hard",
        "gold": [{"id": adapter["id"]}],
    }
    for number, adapter in enumerate(ADAPTERS)
]


def test_kinds_with_the_same_prompts_are_one_group() -> None:
    assert group_of({"kind": "loo-hard"}) == group_of({"kind": "loo"}) == "loo"
    assert group_of({"kind": "human-lora-use", "subkind": "x"}) == "human-lora-use"
    assert is_for_nothing({"kind": "none", "none_basis": "lexical"})
    assert not is_for_nothing({"kind": "named"})


def test_a_regime_without_its_usual_kind_learns_from_the_others() -> None:
    def other(example: TrainingExample) -> TrainingExample:
        return replace(example, kind="loo") if example.kind == "stylus-choice" else example

    made, usual = train(list(map(other, examples())), FEATURES), train(examples(), FEATURES)
    assert (made.captions.line.weights == usual.captions.line.weights).all()


@pytest.mark.long
def test_the_whole_way_with_the_real_encoder(tmp_path: Path) -> None:
    catalogue = write(tmp_path / "catalogue.jsonl", ADAPTERS)
    queries: list[dict[str, Any]] = [*QUERIES, *LOO]
    watch = Watch()
    report = run_left_out(catalogue, [write(tmp_path / "queries.jsonl", queries)], watch)
    rows = {row["kind"]: row for row in report["kinds"]}
    assert rows.keys() == {"named", "stylus-choice", "loo", "loo-hard"}
    assert all(row[method]["recall_at_1"] > 0.5 for row in rows.values() for method in METHODS)
    assert all(0 <= row["lexical"]["picks"] <= 3 for row in rows.values())
    head, columns, *table = leave_out_kind.lines(report)
    assert len(table) == 4
    assert len(head) == len(columns) == len(table[0])
