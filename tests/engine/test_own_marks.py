"""Stars and notes of the user: kept, filtered, searched, and left alone by Undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.stylus import Stylus
from tests.engine.test_operations import ask, stylus

__all__ = ["stylus"]


def names(stylus: Stylus, **query: Any) -> list[str]:
    return [entry["name"] for entry in ask(stylus, "browse", **query)["entries"]]


def test_a_star_filters_and_counts(stylus: Stylus) -> None:
    edits = ask(stylus, "edit", key="civitai:1", favourite=True)["entry"]["edits"]
    assert edits["favourite"] is True
    assert names(stylus, favourite=True) == ["Corgi Friend"]
    assert ask(stylus, "browse", counts=True)["counts"]["favourites"] == 1
    assert ask(stylus, "browse")["entries"][0]["favourite"]
    assert names(stylus, favourite=False) == ["Pixel World"]


def test_several_are_starred_and_one_that_is_unknown_is_left_out(stylus: Stylus) -> None:
    keys = ["civitai:1", "civitai:2", "civitai:999"]
    assert ask(stylus, "mark", keys=keys, favourite=True) == {"changed": 2}
    assert ask(stylus, "mark", keys=keys, favourite=True) == {"changed": 0}
    assert ask(stylus, "mark", keys=keys[:1], state="never") == {"changed": 1}
    edits = ask(stylus, "show", key="civitai:1")["entry"]["edits"]
    assert (edits["state"], edits["favourite"]) == ("never", True)
    with pytest.raises(InvalidInput):
        ask(stylus, "mark", keys=["not a key"], favourite=True)


def test_a_note_is_cleaned_and_searched(stylus: Stylus) -> None:
    note = "  for the\x00 zeppelin\r\nseries \ud800"
    entry = ask(stylus, "edit", key="civitai:2", note=note)["entry"]
    assert entry["edits"]["note"] == "for the  zeppelin\nseries"
    assert names(stylus, text="zepp") == ["Pixel World"]
    assert entry["text"] == "Crisp pixel art of any scene."
    long = ask(stylus, "edit", key="civitai:2", note="x" * 9000)["entry"]["edits"]["note"]
    assert len(long) == 2000
    assert ask(stylus, "edit", key="civitai:2", note=" ")["entry"]["edits"]["note"] is None
    assert names(stylus, text="zepp") == []


def test_both_outlive_the_database_and_undo(stylus: Stylus, tmp_path: Path) -> None:
    ask(stylus, "edit", key="civitai:1", favourite=True, note="mine", text="My text.")
    edits = ask(stylus, "edit", key="civitai:1", undo=True)["entry"]["edits"]
    assert (edits["favourite"], edits["note"], edits["text"]) == (True, "mine", None)
    line = (tmp_path / "data" / "user.jsonl").read_text("utf-8").splitlines()[-1]
    assert json.loads(line)["edits"] == {"favourite": True, "note": "mine"}
