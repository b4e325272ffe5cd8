"""Several hundred generations as version 0.1.0 made them, one request per prompt.

STYLUS_REWRITE_GOLDEN=1 records them anew.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.double.fixtures import Stage, stage
from tests.recorded.cases import cases, corrected
from tests.recorded.house import DirectClient, open_engine
from tests.recorded.play import play

__all__ = ["stage"]

RECORDED = Path(__file__).resolve().parents[1] / "data" / "generations.json.gz"
PARTS = 8
LEAST = 400


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, list[str]]]:
    with open_engine(tmp_path_factory.mktemp("recorded") / "data") as opened:
        yield opened


def recorded() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gzip.decompress(RECORDED.read_bytes()))
    return found


@pytest.mark.skipif(not os.environ.get("STYLUS_REWRITE_GOLDEN"), reason="records them anew")
def test_record(stage: Stage, engine: tuple[Any, list[str]]) -> None:
    stylus, stems = engine
    stage.planner.client = DirectClient(stylus)
    draw, found = random.Random(7), []
    for case in cases(stems):
        answer = play(stage, stems, case)
        found.append({"case": case, "answer": answer})
        again = corrected(case, answer["named"], draw) if draw.random() < 0.2 else None
        if again is not None:
            found.append({"case": again, "answer": play(stage, stems, again)})
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    RECORDED.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


@pytest.mark.parametrize("part", range(PARTS))
def test_generations_are_as_they_were(
    stage: Stage, engine: tuple[Any, list[str]], part: int
) -> None:
    stylus, stems = engine
    stage.planner.client = DirectClient(stylus)
    for one in recorded()[part::PARTS]:
        assert play(stage, stems, one["case"]) == one["answer"], one["case"]


def test_the_recording_covers_what_a_generation_may_be() -> None:
    found = recorded()
    assert len(found) >= LEAST
    codes = {code for one in found for code in one["answer"]["codes"]}
    assert {"mixed_batch", "compared", "corrected", "nothing_fits", "unlisted", "no_room"} <= codes
    for name in ("img2img", "described", "options", "lists", "words", "unlisted"):
        assert sum(name in one["case"] for one in found) >= 20, name
    assert sum("locked" in one["case"] for one in found) >= 5
    changed = [one for one in found if one["answer"]["named"]]
    assert len(changed) > len(found) / 2
    assert sum(bool(one["answer"]["all_hr_prompts"]) for one in changed) >= 50
