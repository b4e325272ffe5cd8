from __future__ import annotations

import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from stylus_ext.environment import run_in_env
from stylus_ext.evaluation import invented, speed
from tests.fakes import Watch


def test_invented_cards_are_always_the_same_and_each_its_own() -> None:
    cards = list(invented.cards(500))
    assert cards == list(invented.cards(500))
    assert cards[:100] == list(islice(invented.cards(10_000), 100))
    assert cards != list(invented.cards(500, seed=5))
    assert len({card.key for card in cards}) == 500
    assert all(card.triggers and card.text and card.examples and card.remote for card in cards)


def test_invented_cards_look_like_civitais() -> None:
    kinds = Counter(card.kind for card in invented.cards(3000))
    assert 0.55 < kinds["character"] / 3000 < 0.75
    families = Counter(card.base_model for card in invented.cards(3000))
    assert set(families) == {base for base, _ in invented.BASES}


def test_invented_prompts_are_captions_and_tags_in_turn() -> None:
    prompts = list(invented.prompts(20))
    assert len(set(prompts)) == 20
    assert all(("," in text) for text in prompts)
    assert all(text.count(",") >= 8 for text in prompts[::2])
    assert all(text.startswith("a ") for text in prompts[1::2])


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells mapped files apart"
)
def test_private_memory_counts_what_a_process_allocates() -> None:
    before = speed.private_memory_mb()
    held = bytearray(b"x" * 64 * 1024 * 1024)
    after = speed.private_memory_mb()
    assert before is not None
    assert after is not None
    assert 50 < after - before < 90
    assert len(held) == 64 * 1024 * 1024


def test_the_figures_stand_beside_their_budgets() -> None:
    shown = list(speed.lines({"plan_p50_ms": 42.0, "entries": 10}))
    assert any("42.0" in line and "<= 150" in line for line in shown)


@pytest.mark.long
def test_a_small_catalogue_is_measured_over_the_real_parts(tmp_path: Path) -> None:
    found = speed.measure(tmp_path, 300, 100, 12, run_in_env.command, Watch())
    assert found["entries"] == 300
    assert found["recall_at_150"] == 1.0
    assert found["plan_p50_ms"] <= found["plan_p95_ms"]
    assert found["retrieval_ratio_to_pass"] > 0
    assert found["index_ratio_to_encode"] > 0.5
