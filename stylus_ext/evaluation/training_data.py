"""Pictures with captions, encoded once for training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp"})


@dataclass(frozen=True, slots=True)
class CaptionedPicture:
    path: Path
    caption: str


def read_folder(folder: Path, results: Path) -> list[CaptionedPicture]:
    """The folder's pictures without those of the results' folder, which may lie inside.

    A caption is the text file of the same name, else the words of the name.
    """
    if not folder.is_dir():
        raise InvalidInput(f"There is no folder {folder}. Give --data a folder of pictures.")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _PICTURES and results not in path.parents
    )
    if not found:
        raise InvalidInput(f"{folder} has no pictures (png, jpg or webp).")
    return [CaptionedPicture(path, _caption(path)) for path in found]


def _caption(path: Path) -> str:
    text = path.with_suffix(".txt")
    if text.is_file():
        return " ".join(text.read_text("utf-8", errors="replace").split())
    return path.stem.replace("_", " ").replace("-", " ")


@dataclass(frozen=True, slots=True)
class EncodedData:
    """Latents of the pictures, embeddings of their captions, and that of the empty caption."""

    latents: Any
    captions: Any
    empty: Any


def encode_data(
    pipeline: Any,
    pictures: list[CaptionedPicture],
    size: int,
    report: Callable[[str, int, int], None],
) -> EncodedData:
    import torch

    vae, factor = pipeline.vae, pipeline.vae.config.scaling_factor
    latents = []
    with torch.no_grad():
        for number, pixels in enumerate(_pixels(pictures, size)):
            report("encoding pictures", number, len(pictures))
            mean = vae.encode(pixels.to(pipeline.device)).latent_dist.mean
            latents.append(mean * factor)
        captions = [embed(pipeline, picture.caption) for picture in pictures]
        return EncodedData(torch.cat(latents), torch.cat(captions), embed(pipeline, ""))


def _pixels(pictures: list[CaptionedPicture], size: int) -> Iterator[Any]:
    """The middle square of each picture, from -1 to 1."""
    import numpy as np
    import torch
    from PIL import Image, ImageOps, UnidentifiedImageError

    for picture in pictures:
        try:
            with Image.open(picture.path) as image:
                square = ImageOps.fit(image.convert("RGB"), (size, size))
        except (OSError, UnidentifiedImageError) as error:
            raise InvalidInput(
                f"The picture {picture.path} cannot be read. Remove it and start again."
            ) from error
        values = torch.from_numpy(np.asarray(square, dtype=np.float32) / 127.5 - 1)
        yield values.permute(2, 0, 1)[None]


def embed(pipeline: Any, caption: str) -> Any:
    embedding, _ = pipeline.encode_prompt(caption, pipeline.device, 1, False)
    return embedding
