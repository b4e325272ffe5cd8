"""Everyday words that are names or triggers, and the picks for prompts with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.entry import Entry
from stylus_ext.evaluation.harm import (
    EverydayPrompt,
    everyday_prompts,
    everyday_words,
    lines,
    report_of,
    run_harm,
)
from stylus_ext.evaluation.selection import key_of
from tests.evaluation.test_robustness import pick
from tests.evaluation.test_selection import write
from tests.fakes import Watch, make_entry

CARDS: list[dict[str, Any]] = [
    {
        "id": "x:1",
        "name": "Sword",
        "description": "Game icons of swords.",
        "trained_words": ["game icon, sword"],
    },
    {"id": "x:2", "name": "Clay Worlds", "trained_words": ["red", "clayworlds"]},
    {"id": "x:3", "name": "Vexmorl", "trained_words": ["1girl", "masterpiece", "holding"]},
]


def entry(number: int, name: str, *triggers: str, kind: str = "object") -> Entry:
    return make_entry(number, name, triggers=triggers, kind=kind)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (entry(1, "Sword"), {"sword"}),
        (entry(1, "Sword of Night", "ornate sword, castle"), {"castle"}),
        (entry(1, "Vexmorl", "vexmorl", "1girl", "masterpiece", "holding", "the"), set()),
        (entry(1, "Red | Vexmorl"), {"red"}),
        (entry(1, "Joy (Farm)", "joy", "sword", kind="character"), {"sword"}),
    ],
)
def test_everyday_words_stand_alone_as_name_or_trigger(made: Entry, words: set[str]) -> None:
    assert everyday_words(made) == words


def test_one_prompt_for_each_word_with_all_its_owners() -> None:
    entries = [
        entry(1, "Sword"),
        entry(2, "Vexblade", "sword"),
        entry(3, "Vexmorl", "apple", "red"),
    ]
    prompts = everyday_prompts(entries)
    assert prompts == everyday_prompts(entries[::-1])
    by_word = {prompt.word: prompt for prompt in prompts}
    assert by_word.keys() == {"sword", "apple", "red"}
    assert by_word["sword"].owners == {entries[0].key, entries[1].key}
    assert " an apple" in by_word["apple"].prompt
    assert "red" in by_word["red"].prompt.split()


def test_picks_by_the_word_are_counted_apart() -> None:
    sword = EverydayPrompt("sword", "a sword", frozenset((key_of("x:1"),)))
    found = [(sword, [pick("x:1"), pick("x:2")]), (sword, [pick("x:3")]), (sword, [])]
    report = report_of(found)
    assert report == {
        "prompts": 3,
        "with_a_pick": 0.6667,
        "with_a_pick_by_the_word": 0.3333,
        "picks": 3,
        "picks_by_the_word": 1,
    }
    assert len(list(lines(report))) == len(report)
    assert report_of([])["with_a_pick"] == 0


def test_the_whole_way_with_the_real_encoder(tmp_path: Path) -> None:
    catalogue, out = write(tmp_path / "catalogue.jsonl", CARDS), tmp_path / "harm.jsonl"
    report = run_harm(catalogue, out, Watch(), 10)
    assert report["prompts"] == 2
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len(rows) == round(report["with_a_pick"] * 2)
    assert sum(len(row["picks"]) for row in rows) == report["picks"]
