"""Stars and notes of the user: kept, filtered, searched, and left alone by Undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS, embedded_text
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


def test_own_tags_are_cleaned_searched_added_and_removed(stylus: Stylus) -> None:
    tags = [" night  shift ", "Night Shift", "a,b", "\x00", ""]
    entry = ask(stylus, "edit", key="civitai:2", tags=tags)["entry"]
    assert entry["edits"]["tags"] == ("night shift", "a", "b")
    assert names(stylus, text="night") == ["Pixel World"]
    keys = ["civitai:1", "civitai:2"]
    assert ask(stylus, "mark", keys=keys, add_tags=["A", "new"]) == {"changed": 2}
    shown = [ask(stylus, "show", key=key)["entry"] for key in keys]
    assert [one["edits"]["tags"] for one in shown] == [
        ("A", "new"),
        ("night shift", "a", "b", "new"),
    ]
    assert ask(stylus, "mark", keys=keys, remove_tags=["a", "NEW"]) == {"changed": 2}
    assert ask(stylus, "mark", keys=keys, remove_tags=["a"]) == {"changed": 0}
    assert ask(stylus, "show", key="civitai:1")["entry"]["edits"]["tags"] is None
    undone = ask(stylus, "edit", key="civitai:2", undo=True)["entry"]
    assert undone["edits"]["tags"] == ("night shift", "b")


def test_own_tags_do_not_change_what_is_picked(stylus: Stylus) -> None:
    before = stylus.catalogue.store.read([AdapterKey.parse("civitai:2")])
    ask(stylus, "edit", key="civitai:2", tags=["zeppelin"])
    after = stylus.catalogue.store.read([AdapterKey.parse("civitai:2")])
    texts = [
        [embedded_text(entry, view) for entry in found.values() for view in VIEWS]
        for found in (before, after)
    ]
    assert texts[0] == texts[1]


def test_both_outlive_the_database_and_undo(stylus: Stylus, tmp_path: Path) -> None:
    ask(stylus, "edit", key="civitai:1", favourite=True, note="mine", text="My text.")
    edits = ask(stylus, "edit", key="civitai:1", undo=True)["entry"]["edits"]
    assert (edits["favourite"], edits["note"], edits["text"]) == (True, "mine", None)
    line = (tmp_path / "data" / "user.jsonl").read_text("utf-8").splitlines()[-1]
    assert json.loads(line)["edits"] == {"favourite": True, "note": "mine"}
