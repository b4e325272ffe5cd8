"""Windows refuses to replace a file that somebody reads: then it is tried again, for a while;
elsewhere a refusal is one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core import files
from stylus_ext.core.files import rename_folder, replace_file


class Busy(type(Path())):  # type: ignore[misc]  # the class of a path depends on the system
    """Refuses the first times, as what is open does there."""

    refusals = 0

    def _move(self, target: object, how: str) -> object:
        cls = type(self)
        if cls.refusals:
            cls.refusals -= 1
            raise PermissionError(13, "it is open")
        return getattr(Path(str(self)), how)(target)

    def replace(self, target: object) -> object:
        return self._move(target, "replace")

    def rename(self, target: object) -> object:
        return self._move(target, "rename")


@pytest.mark.parametrize("step", [replace_file, rename_folder])
def test_it_is_tried_again_for_a_while(
    tmp_path: Path, step: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(step)
    monkeypatch.setattr(files, "_AGAIN_S", 0.001)
    (tmp_path / "new").write_text("new")
    Busy.refusals = 3
    step(Busy(tmp_path / "new"), tmp_path / "place", 60.0, "win32")
    assert (tmp_path / "place").read_text() == "new"
    assert Busy.refusals == 0


def test_not_for_ever_and_not_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_AGAIN_S", 0.001)
    (tmp_path / "new").write_text("new")
    (tmp_path / "place").write_text("old")
    Busy.refusals = 10**9
    with pytest.raises(PermissionError):
        replace_file(Busy(tmp_path / "new"), tmp_path / "place", 0.01, "win32")
    Busy.refusals = 1
    with pytest.raises(PermissionError):
        replace_file(Busy(tmp_path / "new"), tmp_path / "place", 60.0, "linux")
    assert (tmp_path / "place").read_text() == "old"
    replace_file(Busy(tmp_path / "new"), tmp_path / "place")
    assert (tmp_path / "place").read_text() == "new"
