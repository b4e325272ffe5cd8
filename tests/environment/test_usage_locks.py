"""Holds of the dead are swept, holds of the living are named."""

from __future__ import annotations

import os
import time
from pathlib import Path

from stylus_ext.environment.files import folder_users, hold_folder
from stylus_ext.environment.layout import MANIFEST


def folder_in(tmp_path: Path) -> Path:
    folder = tmp_path / ".engine" / "abcd1234"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("{}")
    return folder


def test_two_holds_of_one_folder_and_none_of_another(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    assert folder_users(folder) == []
    first, second = hold_folder(folder, "the engine"), hold_folder(folder, "a command")
    assert sorted(one.split(" (")[0] for one in folder_users(folder)) == ["a command", "the engine"]
    assert folder_users(folder.with_name("abcd")) == [], "a name that begins alike is another's"
    first.release()
    second.release()
    assert folder_users(folder) == []


def test_what_the_dead_left_is_swept_but_a_new_file_is_not(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    holds = folder.parent / "hold"
    holds.mkdir()
    old, new = holds / "abcd1234.1.aa", holds / "abcd1234.2.bb"
    for path in (old, new):
        path.write_text("")
    long_ago = time.time() - 60
    os.utime(old, (long_ago, long_ago))
    assert folder_users(folder) == []
    assert not old.exists()
    assert new.exists(), "its owner may be between making and locking it"
