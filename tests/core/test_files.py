"""Files are replaced in one step, and only regular ones are opened."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from stylus_ext.core.files import open_regular, write_file


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_written_over_another_and_leaves_nothing_beside(
    tmp_path: Path, durable: bool
) -> None:
    path = tmp_path / "file"
    write_file(path, "eins ö\n", durable=durable)
    assert path.read_bytes() == "eins ö\n".encode()
    write_file(path, b"zwei\r\n", 0o600, durable=durable)
    assert path.read_bytes() == b"zwei\r\n"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_file(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_file(path, "new", durable=True)
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_regular_file_is_opened_and_a_folder_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\r\nb\x1a c")
    with open_regular(path) as file:
        assert file.read() == b"a\r\nb\x1a c"
    with pytest.raises(OSError, match="\\S"):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes in folders exist on POSIX alone")
def test_a_pipe_is_refused_at_once_and_a_link_where_it_is_not_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "to-pipe").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "to-pipe"):
        with pytest.raises(OSError, match="regular"):
            open_regular(tmp_path / name)
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"x"
    with pytest.raises(OSError, match="\\S"):
        open_regular(tmp_path / "link", follow_links=False)
