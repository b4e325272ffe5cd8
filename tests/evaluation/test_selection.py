from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation import selection
from stylus_ext.evaluation.bench_catalogue import cards, id_of, key_of
from tests.fakes import Watch

ADAPTERS: list[dict[str, Any]] = [
    {"id": "x:1", "name": "Copper Train", "description": "<p>Draws steam trains of polished copper.</p>", "tags": ["train"],
     "trained_words": ["coppertrain"], "base_model": "SD 1.5", "example_prompts": ["coppertrain, bridge, fog"], "example_weights": [0.7],
     "stats": {"downloadCount": 12, "rating": 5, "ratingCount": 0}, "civitai_model_id": 1, "creator": "nobody"},
    {"id": "opaque id", "name": "Teapot World", "description": "Draws teapots of every shape.", "tags": ["teapot"], "base_model": "SDXL 1.0"},
    {"id": "x:3", "name": "Knitted Wool", "description": "Makes things of wool.", "base_model": "SD 1.5"},
]
QUERIES: list[dict[str, Any]] = [
    {"id": "q1", "prompt": "coppertrain, bridge, rain, clouds", "kind": "named", "gold": [{"id": "x:1"}]},
    {"id": "q2", "prompt": "a teapot on a table", "kind": "stylus-choice", "gold": [{"id": "opaque id"}]},
    {"id": "q3", "prompt": "a zebra in the savanna", "kind": "none", "none_basis": "lexical", "gold": []},
]


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def test_the_whole_way_with_the_real_encoder(tmp_path: Path) -> None:
    out = tmp_path / "ranking.jsonl"
    catalogue, queries = write(tmp_path / "catalogue.jsonl", ADAPTERS), write(tmp_path / "queries.jsonl", QUERIES)
    report = selection.run_selection(catalogue, [queries], out, Watch())
    runs = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [run["id"] for run in runs] == ["q1", "q2", "q3"]
    assert [run["ranking"][0] for run in runs[:2]] == ["x:1", "opaque id"]
    assert all(set(run["ranking"]) == {"x:1", "opaque id", "x:3"} for run in runs)
    assert runs[2]["selected"] == []
    assert {kind["kind"]: kind.get("recall_at_1") for kind in report["kinds"]} == {"named": 1.0, "none:lexical": None, "stylus-choice": 1.0}
    assert report["auc"] == {"lexical+composer-none / stylus-choice": 1.0}
    table = list(selection.lines(report))
    assert len(table) == 5
    assert "R@150" in table[0]


def test_cards_are_read_as_they_are(tmp_path: Path) -> None:
    first, second, _ = cards(write(tmp_path / "catalogue.jsonl", ADAPTERS))
    assert (first.name, first.triggers, first.examples[0].weight, first.rating) == ("Copper Train", ("coppertrain",), 0.7, None)
    assert second.examples == ()
    assert [id_of(card.key) for card in (first, second)] == ["x:1", "opaque id"]
    assert key_of("x:1") == AdapterKey.path("x:1")


def test_a_record_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no adapter of the benchmark"):
        list(cards(write(tmp_path / "catalogue.jsonl", [{"id": "x:1"}])))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        list(cards(tmp_path / "nowhere.jsonl"))
