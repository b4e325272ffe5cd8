"""Variations of prompts, and what is counted when picks change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.composition import Pick
from stylus_ext.evaluation.picks import sample
from stylus_ext.evaluation.robustness import (
    VariedPicks,
    lines,
    report_of,
    run_robustness,
    varied_picks,
)
from stylus_ext.evaluation.selection import key_of
from stylus_ext.evaluation.variations import VARIATIONS
from tests.evaluation.test_selection import ADAPTERS, QUERIES, write
from tests.fakes import Watch


def pick(adapter: str) -> Pick:
    return Pick(key_of(adapter), 0, adapter.title(), 0.8, "its name is in the prompt")


def varied(name: str, plain: str, other: str) -> VariedPicks:
    return VariedPicks("q", name, "p", frozenset(plain.split()), frozenset(other.split()))


@pytest.mark.parametrize(
    ("name", "prompt", "expected"),
    [
        ("attention brackets", "a (red) fox in snow", "a (red) fox in (snow:1.2)"),
        ("attention brackets", "<lora:foxes:1>", "<lora:foxes:1>"),
        ("8k", "a fox", "a fox, 8k"),
        ("8k", "A fox sleeps. ", "A fox sleeps, 8k"),
        ("plural or singular", "a red dog near two houses", "a red dog near two house"),
        ("plural or singular", "a man with a city map", "a man with a city maps"),
        ("plural or singular", "a woman is running", "a women is running"),
        ("plural or singular", "a photo of a baby (dog)", "a photo of a babies (dog)"),
        ("plural or singular", "crNanosuit, red", "crNanosuit, red"),
        ("capitals", "a red fox, 1girl <lora:fox:1>", "a Red Fox, 1girl <lora:fox:1>"),
        ("final dot", "a fox", "a fox."),
        ("final dot", "a fox.", "a fox."),
        ("other order", "a dog, sitting, and a cat that sleeps on a big mat all day long", ""),
        ("other order", "a dog, a cat", ""),
    ],
)
def test_a_variation(name: str, prompt: str, expected: str) -> None:
    assert VARIATIONS[name](prompt) == (expected or prompt)


def test_another_order_keeps_tags_and_brackets_whole() -> None:
    prompt = "1girl, (red hat, blue coat:1.2), city, rain, night"
    other = VARIATIONS["other order"](prompt)
    assert other != prompt
    assert other == VARIATIONS["other order"](prompt)
    assert "(red hat, blue coat:1.2)" in other
    assert sorted(other) == sorted(prompt)


@given(st.text(max_size=60), st.sampled_from(sorted(VARIATIONS)))
def test_a_variation_never_fails(prompt: str, name: str) -> None:
    assert isinstance(VARIATIONS[name](prompt), str)


def test_shares_count_both_directions() -> None:
    found = [
        varied("8k", "a b", "a"),
        varied("8k", "", "c"),
        varied("final dot", "a", "a"),
    ]
    rows = {row["variation"]: row for row in report_of(found)["variations"]}
    assert rows["8k"] == {
        "variation": "8k",
        "prompts": 2,
        "kept": 0.5,
        "known": 0.5,
        "same": 0.0,
    }
    assert rows["final dot"]["same"] == 1.0
    assert rows["capitals"]["kept"] is None
    assert rows["overall"] == {
        "variation": "overall",
        "prompts": 3,
        "kept": 0.6667,
        "known": 0.6667,
        "same": 0.3333,
    }
    assert len(list(lines({"variations": list(rows.values())}))) == len(VARIATIONS) + 2


def test_each_prompt_is_asked_plain_and_in_every_variation_that_applies() -> None:
    asked: list[str] = []

    def find(prompt: str) -> Sequence[Pick]:
        asked.append(prompt)
        return [] if "8k" in prompt else [pick("fox")]

    found = list(varied_picks([{"id": 1, "prompt": "a red fox"}], find, Watch()))
    assert asked[0] == "a red fox"
    assert len(asked) == len(found) + 1 == len(set(asked))
    changed = [one.variation for one in found if one.plain != one.varied]
    assert changed == ["8k"]


def test_a_sample_is_spread_over_kinds_and_always_the_same() -> None:
    queries = [
        {"id": f"{kind}{number}", "kind": kind, "prompt": "x", "gold": []}
        for kind, count in (("named", 30), ("loo", 2), ("stylus-choice", 9))
        for number in range(count)
    ]
    chosen = sample(queries, 9)
    assert [query["kind"] for query in chosen].count("loo") == 2
    assert [query["kind"] for query in chosen].count("named") == 4
    assert chosen == sample(queries[::-1], 9)
    assert len(sample(queries, 100)) == len(queries)


def test_the_whole_way_with_the_real_encoder(tmp_path: Path) -> None:
    catalogue = write(tmp_path / "catalogue.jsonl", ADAPTERS)
    queries = write(tmp_path / "queries.jsonl", QUERIES)
    report = run_robustness(catalogue, [queries], Watch(), 2, tmp_path / "changes.jsonl")
    overall = report["variations"][-1]
    assert overall["prompts"] >= 2 * (len(VARIATIONS) - 2)
    changes = [
        json.loads(line) for line in (tmp_path / "changes.jsonl").read_text("utf-8").splitlines()
    ]
    assert len(changes) == round(overall["prompts"] * (1 - overall["same"]))
    assert all(change["lost"] or change["gained"] for change in changes)
