from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylus_ext.catalogue.sources.pictures.learn import recent_pictures
from stylus_ext.core.errors import Cancelled
from stylus_ext.core.ports import PastPicture
from tests.catalogue.sources.pictures.making import infotext, write_png
from tests.fakes import Watch


def put(folder: Path, number: int, text: str) -> Path:
    """The higher the number, the newer."""
    path = write_png(folder / f"{number:03}.png", text)
    os.utime(path, (1_000_000 + number, 1_000_000 + number))
    return path


def prompts(found: list[PastPicture]) -> list[str]:
    return [picture.prompt for picture in found]


def test_the_newest_come_first_and_no_prompt_twice(tmp_path: Path) -> None:
    for number, prompt in enumerate(["oldest", "a fox", "a tree", "a fox"]):
        put(tmp_path, number, infotext(prompt))
    assert prompts(recent_pictures([tmp_path], 50, Watch())) == ["a fox", "a tree", "oldest"]
    assert prompts(recent_pictures([tmp_path], 2, Watch())) == ["a fox", "a tree"]


def test_tags_are_what_was_used_and_no_part_of_the_prompt(tmp_path: Path) -> None:
    put(tmp_path, 1, infotext("a fox <lora:my_fox:0.6>, rain <lora:wet>", Seed="77"))
    assert recent_pictures([tmp_path], 5, Watch()) == [
        PastPicture(
            "001.png",
            "a fox , rain",
            "bad hands, (worst quality:1.4)",
            77,
            (("my_fox", 0.6), ("wet", 1.0)),
        )
    ]


def test_of_a_picture_of_ours_the_prompt_before_stylus_counts(tmp_path: Path) -> None:
    put(
        tmp_path,
        1,
        infotext("a fox, foxy <lora:my_fox:0.6>", **{"Stylus": "0.1.0", "Stylus prompt": "a fox"}),
    )
    assert prompts(recent_pictures([tmp_path], 5, Watch())) == ["a fox"]


def test_pictures_without_prompt_and_broken_ones_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "text.txt").write_text("a fox")
    put(tmp_path, 1, "")
    put(tmp_path, 2, infotext("<lora:alone:1>"))
    inner = tmp_path / "2026-01-01"
    inner.mkdir()
    put(inner, 3, infotext("a tree", Seed="9" * 30))
    assert recent_pictures([tmp_path, tmp_path / "nowhere"], 5, Watch()) == [
        PastPicture("003.png", "a tree", "bad hands, (worst quality:1.4)", 0)
    ]


def test_it_can_be_stopped(tmp_path: Path) -> None:
    for number in range(4):
        put(tmp_path, number, infotext(f"prompt {number}"))
    with pytest.raises(Cancelled):
        recent_pictures([tmp_path], 50, Watch(patience=2))
