"""Thumbnails of the user's own pictures: from the output folders, and from nowhere else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from stylus_ext.core.errors import InvalidInput
from tests.host.double.fixtures import Stage


@pytest.fixture
def outputs(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from stylus_ext.host.web import own_pictures

    folder = tmp_path / "outputs"
    folder.mkdir()
    monkeypatch.setattr(own_pictures, "picture_folders", lambda: [str(folder)])
    for path in (folder / "in.png", tmp_path / "outside.png"):
        Image.new("RGB", (900, 600), "red").save(path)
    return folder


def thumbnail(path: object) -> Any:
    from stylus_ext.host.web import own_pictures
    from stylus_ext.host.web.responses import ActionRequest

    return own_pictures.thumbnail(ActionRequest({"path": path}, cast(Any, None)))


def test_a_picture_of_the_output_folders_becomes_small(outputs: Path) -> None:
    made = thumbnail(str(outputs / "in.png"))
    with Image.open(io.BytesIO(made.data)) as picture:
        assert (picture.format, max(picture.size)) == ("JPEG", 320)


def test_nothing_else_is_served(outputs: Path, tmp_path: Path) -> None:
    (outputs / "text.png").write_text("no picture")
    (outputs / "secret.txt").write_text("x")
    (outputs / "dir.png").mkdir()
    (outputs / "link.png").symlink_to(tmp_path / "outside.png")
    neighbour = tmp_path / "outputs of others"
    neighbour.mkdir()
    Image.new("RGB", (9, 9)).save(neighbour / "x.png")
    for path in (
        str(tmp_path / "outside.png"),
        str(outputs / ".." / "outside.png"),
        str(outputs / "link.png"),
        str(outputs / "text.png"),
        str(outputs / "secret.txt"),
        str(outputs / "dir.png"),
        str(outputs / "gone.png"),
        str(neighbour / "x.png"),
        "in.png\0",
        "//server/share/x.png",
        "",
        None,
        7,
        {"path": "x"},
    ):
        with pytest.raises(InvalidInput):
            thumbnail(path)


def test_uses_elsewhere_are_left_out(outputs: Path, tmp_path: Path) -> None:
    paths = [str(outputs / "in.png"), str(tmp_path / "outside.png"), str(outputs / "gone.png")]
    entry = {"uses": {"pictures": 3, "newest": [{"path": path} for path in paths]}}
    from stylus_ext.host.web import own_pictures

    own_pictures.with_own_pictures(entry)
    assert entry["uses"] == {"pictures": 3, "newest": [{"path": paths[0]}]}
    own_pictures.with_own_pictures({})
