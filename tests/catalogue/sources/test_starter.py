from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.sources.starter import StarterCatalogue
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.catalogue import STARTER
from tests.fakes import Watch

FOX: dict[str, Any] = {
    "model_id": 7,
    "version_id": 70,
    "name": "Paper Fox",
    "version": "v2",
    "base_model": "SDXL 1.0",
    "file": "paper_fox_xl.safetensors",
    "size_kb": 100.25,
    "sha256": "ab" * 32,
    "triggers": ["paperfox"],
    "tags": ["fox", "paper"],
    "kind": "animal",
    "weight": 0.75,
    "description": "Foxes folded of paper.",
}


def cards(path: Path) -> list[AdapterCard]:
    return [
        sighting.card for sighting in StarterCatalogue(path).cards({}, Watch()) if sighting.card
    ]


def written(path: Path, *lines: str) -> Path:
    place = path / "starter.jsonl"
    place.write_text("\n".join(lines), "utf-8")
    return place


def test_a_line_becomes_a_card_with_all_that_it_states(tmp_path: Path) -> None:
    (card,) = cards(written(tmp_path, json.dumps(FOX)))
    assert card.key == AdapterKey.civitai(70)
    assert (card.name, card.version, card.model_id, card.base_model) == (
        "Paper Fox",
        "v2",
        7,
        "SDXL 1.0",
    )
    assert (card.kind, card.tags, card.triggers, card.weight) == (
        "animal",
        ("fox", "paper"),
        ("paperfox",),
        0.75,
    )
    assert card.text == "Foxes folded of paper."
    assert card.remote is not None
    assert (card.remote.name, card.remote.size, card.remote.sha256) == (
        "paper_fox_xl.safetensors",
        102_656,
        "ab" * 32,
    )
    assert card.equivalents == (AdapterKey.sha256("ab" * 32),)


def test_empty_lines_are_no_cards(tmp_path: Path) -> None:
    assert len(cards(written(tmp_path, "", json.dumps(FOX), "", ""))) == 1
    assert cards(written(tmp_path, "")) == []


def test_the_progress_ends_where_the_lines_end(tmp_path: Path) -> None:
    watch = Watch()
    path = written(tmp_path, *(json.dumps({**FOX, "version_id": number}) for number in range(205)))
    assert len(list(StarterCatalogue(path).cards({}, watch))) == 205
    assert [(done, total) for _, done, total in watch.seen] == [
        (0, 205),
        (100, 205),
        (200, 205),
        (205, 205),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        "3",
        json.dumps({**FOX, "tags": None}),
        json.dumps({**FOX, "version_id": "x"}),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidInput, match=r"\b2\b"):
        cards(written(tmp_path, json.dumps(FOX), line))


@pytest.mark.parametrize("name", sorted(FOX))
def test_a_line_that_lacks_something_is_named(tmp_path: Path, name: str) -> None:
    line = json.dumps({key: value for key, value in FOX.items() if key != name})
    with pytest.raises(InvalidInput, match=r"\b1\b"):
        cards(written(tmp_path, line))


def test_a_missing_or_unreadable_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        cards(tmp_path / "nowhere.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput):
        cards(tmp_path / "binary.jsonl")


def test_the_real_one_becomes_descriptions_of_its_own_kinds() -> None:
    """What the starter catalogue says of kind, weight and text reaches the description, whatever
    the rules would guess.
    """
    refiner = CardRefiner()
    for card in cards(STARTER):
        described = refiner.refine(card)
        assert described.kind == card.kind
        assert described.text
        assert card.weight is None or 0 < card.weight <= 2
