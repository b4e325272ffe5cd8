"""Files are replaced in one step."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.files import write_file


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
