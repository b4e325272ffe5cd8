from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation import selection
from stylus_ext.evaluation.selection import SelectionWay, cards, id_of, key_of
from tests.fakes import Watch

ADAPTERS: list[dict[str, Any]] = [
    {
        "id": "x:1",
        "name": "Copper Train",
        "description": "<p>Draws steam trains of polished copper.</p>",
        "tags": ["train"],
        "trained_words": ["coppertrain"],
        "base_model": "SD 1.5",
        "example_prompts": ["coppertrain, bridge, fog"],
        "example_weights": [0.7],
        "stats": {"downloadCount": 12, "rating": 5, "ratingCount": 0},
        "civitai_model_id": 1,
        "creator": "nobody",
    },
    {
        "id": "opaque id",
        "name": "Teapot World",
        "description": "Draws teapots of every shape.",
        "tags": ["teapot"],
        "base_model": "SDXL 1.0",
    },
    {
        "id": "x:3",
        "name": "Knitted Wool",
        "description": "Makes things of wool.",
        "base_model": "SD 1.5",
    },
]
QUERIES: list[dict[str, Any]] = [
    {
        "id": "q1",
        "prompt": "coppertrain, bridge, rain, clouds",
        "kind": "named",
        "gold": [{"id": "x:1"}],
    },
    {
        "id": "q2",
        "prompt": "a teapot on a table",
        "kind": "stylus-choice",
        "gold": [{"id": "opaque id"}],
    },
    {
        "id": "q3",
        "prompt": "a zebra in the savanna",
        "kind": "none",
        "none_basis": "lexical",
        "gold": [],
    },
]


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def test_the_refiner_and_a_file_of_descriptions_are_measured(tmp_path: Path) -> None:
    gold = [{"id": "x:3"}]
    asked = [{"id": "q", "prompt": "steam trains", "kind": "stylus-choice", "gold": gold}]
    catalogue = write(tmp_path / "catalogue.jsonl", [{**ADAPTERS[1], "tags": []}, ADAPTERS[2]])
    queries = write(tmp_path / "queries.jsonl", asked)
    texts = [{"id": "x:3", "text": "Draws huge steam trains on long bridges."}]
    file = write(tmp_path / "texts.jsonl", texts)
    first = []
    for way in (
        SelectionWay("cosine", "none"),
        SelectionWay("cosine"),
        SelectionWay("cosine", descriptions=file),
    ):
        out = tmp_path / "ranking.jsonl"
        selection.run_selection(catalogue, [queries], out, Watch(), way)
        first += [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert first[-1]["ranking"][0] == "x:3"
    assert len({one["score"] for one in first}) == len(first)


def test_the_whole_way_with_the_real_encoder(tmp_path: Path) -> None:
    out = tmp_path / "ranking.jsonl"
    catalogue, queries = (
        write(tmp_path / "catalogue.jsonl", ADAPTERS),
        write(tmp_path / "queries.jsonl", QUERIES),
    )
    report = selection.run_selection(catalogue, [queries], out, Watch())
    runs = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [run["id"] for run in runs] == ["q1", "q2", "q3"]
    assert [run["ranking"][0] for run in runs[:2]] == ["x:1", "opaque id"]
    assert all(set(run["ranking"]) == {"x:1", "opaque id", "x:3"} for run in runs)
    assert runs[2]["selected"] == []
    assert {kind["kind"]: kind.get("recall_at_1") for kind in report["kinds"]} == {
        "named": 1.0,
        "none:lexical": None,
        "stylus-choice": 1.0,
    }
    assert report["auc"] == {"lexical+composer-none / stylus-choice": 1.0}
    way = selection.SelectionWay(refiner="none")
    unrefined = selection.run_selection(catalogue, [queries], out, Watch(), way)
    assert unrefined["queries"] == report["queries"]
    assert [json.loads(line)["score"] for line in out.read_text("utf-8").splitlines()] != [
        run["score"] for run in runs
    ]
    table = list(selection.lines(report))
    assert len(table) == 5
    assert "R@150" in table[0]


def test_cards_are_read_as_they_are(tmp_path: Path) -> None:
    first, second, _ = cards(write(tmp_path / "catalogue.jsonl", ADAPTERS))
    assert (first.name, first.triggers, first.examples[0].weight, first.rating) == (
        "Copper Train",
        ("coppertrain",),
        0.7,
        None,
    )
    assert second.examples == ()
    assert [id_of(card.key) for card in (first, second)] == ["x:1", "opaque id"]
    assert key_of("x:1") == AdapterKey.path("x:1")


@pytest.mark.parametrize(("votes", "rating"), [(None, None), (9, None), (10, 0.8)])
def test_stars_become_a_share_where_enough_people_gave_them(
    tmp_path: Path, votes: int | None, rating: float | None
) -> None:
    (card,) = cards(
        write(
            tmp_path / "catalogue.jsonl",
            [{"id": "x:1", "name": "A", "stats": {"rating": 4, "ratingCount": votes}}],
        )
    )
    assert card.rating == rating


def test_a_record_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        list(cards(write(tmp_path / "catalogue.jsonl", [{"id": "x:1"}])))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        list(cards(tmp_path / "nowhere.jsonl"))


@pytest.mark.parametrize("name", ["id", "prompt", "kind", "gold"])
def test_a_query_that_lacks_something_is_a_sentence_before_any_work(
    tmp_path: Path, name: str
) -> None:
    catalogue = write(tmp_path / "catalogue.jsonl", ADAPTERS)
    queries = write(
        tmp_path / "queries.jsonl",
        [QUERIES[0], {key: value for key, value in QUERIES[1].items() if key != name}],
    )
    watch = Watch()
    with pytest.raises(InvalidInput, match=f"2.*'{name}'"):
        selection.run_selection(catalogue, [queries], tmp_path / "ranking.jsonl", watch)
    assert watch.seen == []
    assert not (tmp_path / "ranking.jsonl").exists()


@pytest.mark.parametrize(
    "change", [{"name": None}, {"id": None}, {"tags": 3}, {"trained_words": 1}]
)
def test_an_adapter_of_the_wrong_shape_is_a_sentence(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        list(cards(write(tmp_path / "catalogue.jsonl", [{**ADAPTERS[0], **change}])))


def test_more_weights_than_prompts_and_fewer(tmp_path: Path) -> None:
    more = {**ADAPTERS[0], "example_weights": [0.7, 0.9, 1.0]}
    fewer = {
        **ADAPTERS[0],
        "id": "x:9",
        "example_prompts": ["one", "two"],
        "example_weights": [0.5],
    }
    first, second = cards(write(tmp_path / "catalogue.jsonl", [more, fewer]))
    assert [(example.prompt, example.weight) for example in first.examples] == [
        ("coppertrain, bridge, fog", 0.7)
    ]
    assert [(example.prompt, example.weight) for example in second.examples] == [
        ("one", 0.5),
        ("two", None),
    ]


def test_the_table_leaves_empty_what_a_kind_does_not_have() -> None:
    report = {
        "kinds": [
            {
                "kind": "named",
                "queries": 3,
                "recall_at_1": 0.5,
                "recall_at_5": 1.0,
                "recall_at_10": 1.0,
                "recall_at_150": 1.0,
                "mrr": 0.75,
                "precision": 0.25,
                "selected": 0.5,
                "picks": 1.5,
            },
            {"kind": "none:lexical", "queries": 12, "picks": 0.1, "left_alone": 0.9},
        ],
        "auc": {"lexical / named": 0.987},
    }
    head, named, nothing, area = selection.lines(report)
    assert head.split() == [
        "kind",
        "n",
        "R@1",
        "R@5",
        "R@10",
        "R@150",
        "MRR",
        "sel-P",
        "sel-R",
        "picks",
        "alone",
    ]
    assert named.split() == [
        "named",
        "3",
        "0.500",
        "1.000",
        "1.000",
        "1.000",
        "0.750",
        "0.250",
        "0.500",
        "1.500",
    ]
    assert nothing.split() == ["none:lexical", "12", "0.100", "0.900"]
    assert nothing.endswith("  0.900")
    assert len({len(line) for line in (head, nothing)}) == 1
    assert area.split() == ["AUC", "lexical", "/", "named", "0.987"]
