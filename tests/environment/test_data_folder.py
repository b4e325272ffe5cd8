"""Where the data lies, on each system, and who may say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.machine import (
    data_folder,
    folder_size,
    free_bytes,
    platform_folder,
    webui_folder,
)


def test_the_argument_comes_first_then_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STYLUS_DATA_DIR", str(tmp_path / "variable"))
    assert data_folder(str(tmp_path / "argument")) == tmp_path / "argument"
    assert data_folder(None) == tmp_path / "variable"
    assert not (tmp_path / "variable").exists(), "asking makes nothing"
    monkeypatch.delenv("STYLUS_DATA_DIR")
    assert data_folder().name == "stylus-webui"


def test_a_webui_keeps_its_own_beside_its_extensions(tmp_path: Path) -> None:
    assert webui_folder(tmp_path / "extensions" / "sd-webui-stylus") == tmp_path / "stylus"
    assert webui_folder(tmp_path / "src" / "sd-webui-stylus") is None


def test_a_relative_path_and_a_tilde_are_made_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert data_folder("here") == tmp_path / "here"
    assert data_folder("~/there") == tmp_path / "home" / "there"


def test_each_system_has_its_place() -> None:
    home = Path("/home/u").absolute()
    assert platform_folder("linux", {}, home) == home / ".local/share/stylus-webui"
    listed = str(Path("/data").absolute())
    assert (
        platform_folder("linux", {"XDG_DATA_HOME": listed}, home) == Path(listed) / "stylus-webui"
    )
    assert (
        platform_folder("linux", {"XDG_DATA_HOME": "relative"}, home)
        == home / ".local/share/stylus-webui"
    )
    assert platform_folder("darwin", {}, home) == home / "Library/Application Support/stylus-webui"
    assert platform_folder("win32", {"LOCALAPPDATA": "/local"}, home) == Path("/local/stylus-webui")
    assert platform_folder("win32", {}, home) == home / "AppData/Local/stylus-webui"


def test_a_user_without_a_home_is_asked_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STYLUS_DATA_DIR", raising=False)
    with pytest.raises(SetupProblem, match="--data-dir or STYLUS_DATA_DIR"):
        data_folder("~nobody_of_this_name/x")


def test_a_folders_size_counts_all_files_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one").write_bytes(b"x" * 1000)
    (tmp_path / "two").write_bytes(b"x" * 23)
    assert folder_size(tmp_path) == 1023
    assert folder_size(tmp_path / "gone") == 0
    assert free_bytes(tmp_path) > 0
