"""The folder of a training: pictures, captions, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.train_styleinject import TrainingRequest, train
from stylus_ext.evaluation.training_data import encode_data, read_folder


def add_picture(path: Path, colour: tuple[int, int, int] = (255, 0, 0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 20), colour).save(path)


def test_captions_are_text_files_or_the_names_words(tmp_path: Path) -> None:
    add_picture(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(" a red\n square ")
    add_picture(tmp_path / "more" / "blue-fox_2.webp")
    add_picture(tmp_path / "out" / "samples" / "x.png")
    (tmp_path / "notes.md").write_text("no picture")
    found = read_folder(tmp_path, tmp_path / "out")
    assert [picture.caption for picture in found] == ["a red square", "blue fox 2"]


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InvalidInput):
            read_folder(folder, tmp_path / "out")


class Pipeline:
    """Encodes a picture as its mean colour and a caption as its length."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        self.vae = SimpleNamespace(
            config=SimpleNamespace(scaling_factor=0.5),
            encode=lambda pixels: SimpleNamespace(
                latent_dist=SimpleNamespace(mean=pixels.mean((2, 3), keepdim=True))
            ),
        )

    def encode_prompt(self, text: str, *_: Any) -> tuple[Any, None]:
        return torch.full((1, 3, 2), float(len(text))), None


def test_pictures_are_cropped_and_encoded_with_their_captions(tmp_path: Path) -> None:
    add_picture(tmp_path / "abc.png")
    add_picture(tmp_path / "de.png", (0, 0, 255))
    data = encode_data(Pipeline(), read_folder(tmp_path, tmp_path / "x"), 16, lambda *_: None)
    assert data.latents.flatten(1).tolist() == [[0.5, -0.5, -0.5], [-0.5, -0.5, 0.5]]
    assert data.captions[:, 0, 0].tolist() == [3, 2]
    assert data.empty.shape == (1, 3, 2)


def test_a_torn_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(InvalidInput, match="torn"):
        encode_data(Pipeline(), read_folder(tmp_path, tmp_path / "x"), 16, lambda *_: None)


@pytest.mark.parametrize("wrong", [{"name": "../x"}, {"method": "magic"}, {"size": 20}])
def test_a_wrong_request_is_refused_before_anything_is_loaded(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    fields: dict[str, Any] = {"name": "x", **wrong}
    with pytest.raises(InvalidInput):
        train(TrainingRequest(tmp_path, tmp_path, tmp_path, **fields), lambda *_: None)
