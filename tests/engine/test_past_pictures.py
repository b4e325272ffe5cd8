from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.errors import Cancelled, InvalidInput
from stylus_ext.engine.operations.table import OPERATIONS, perform
from stylus_ext.engine.stylus import Stylus
from tests.catalogue.sources.pictures.making import infotext
from tests.catalogue.sources.pictures.test_recent_pictures import put
from tests.engine.test_operations import ask, plan, stylus
from tests.fakes import Watch

__all__ = ["stylus"]
LOOSE = {"selection": {"strictness": 0.0}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "outputs"
    made.mkdir()
    put(made, 1, infotext("qqq zzz"))
    put(made, 2, infotext("a corgi dog, pixel art <lora:civitai_1:0.5>"))
    return made


def test_a_rehearsal_says_what_a_plan_for_each_prompt_would_choose(
    stylus: Stylus, folder: Path
) -> None:
    answer = ask(stylus, "rehearse", folders=[str(folder)], settings=LOOSE)
    assert [row["picture"] for row in answer["rows"]] == ["002.png", "001.png"]
    first = answer["rows"][0]
    assert first["prompt"] == "a corgi dog, pixel art"
    assert first["used"] == [{"name": "civitai_1", "weight": 0.5}]
    expected = plan(
        stylus,
        "a corgi dog, pixel art",
        negative_prompt="bad hands, (worst quality:1.4)",
        seed=1,
        settings=LOOSE,
    )
    assert [(pick["key"], pick["reason"]) for pick in first["picks"]] == [
        (pick["key"], pick["reason"]) for pick in expected["picks"]
    ]
    assert answer["rows"][1]["same"] is True
    assert (answer["chosen"], answer["same"]) == (1, 1)


def test_it_is_a_job_with_progress_that_can_be_stopped(stylus: Stylus, folder: Path) -> None:
    assert OPERATIONS["rehearse"].long
    watch = Watch()
    perform(stylus, "rehearse", {"folders": [str(folder)]}, watch)
    assert ("planning", 1, 2) in watch.seen
    with pytest.raises(Cancelled):
        perform(stylus, "rehearse", {"folders": [str(folder)]}, Watch(patience=1))


def test_a_folder_that_is_not_there_is_named(stylus: Stylus, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere"):
        ask(stylus, "rehearse", folders=[str(tmp_path / "nowhere")])


def test_only_a_few_are_rehearsed(stylus: Stylus, folder: Path) -> None:
    assert len(ask(stylus, "rehearse", folders=[str(folder)], count=1)["rows"]) == 1


def test_weights_are_those_after_the_limit_on_their_sum(stylus: Stylus, folder: Path) -> None:
    capped = {**LOOSE, "weights": {"total_cap": 0.3}}
    row = ask(stylus, "rehearse", folders=[str(folder)], settings=capped)["rows"][0]
    assert row["picks"]
    assert sum(pick["weight"] for pick in row["picks"]) <= 0.3
    assert [pick["off"] for pick in row["picks"]] == [False] * len(row["picks"])
