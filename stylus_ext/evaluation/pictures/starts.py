"""Pictures that img2img starts from, and masks of what inpainting paints anew (white)."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.files import write_file

RANDOM_MASKS = "random"
MASKS = "masks"
"""The folder of random masks below that of the run."""

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_SHORTEST, _LONGEST = 0.25, 0.6
"""Sides of a random box, as a share of the picture's."""
_INPAINTING = {"inpainting_fill": 1, "inpaint_full_res": False, "mask_blur": 4}
"""For WebUIs, whose API would fill the box with colour and enlarge it."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Prompt number n has picture and mask number n, from the first again where they are fewer.

    `random_masks` is the folder for masks of random boxes; they are the same in every arm.
    """

    pictures: Sequence[Path] = ()
    masks: Sequence[Path] = ()
    random_masks: Path | None = None

    def fields(self, prompt: int, size: tuple[int, int]) -> dict[str, Any]:
        """The fields that a request for a picture of this prompt gets."""
        if not self.pictures:
            return {}
        picture = self.pictures[prompt % len(self.pictures)]
        found: dict[str, Any] = {"init_images": [_encoded(picture)]}
        if self.random_masks is not None:
            mask = self.random_masks / f"{prompt:05d}.png"
            if not mask.exists():
                mask.parent.mkdir(exist_ok=True)
                write_file(mask, random_box(prompt, size), durable=True)
            return found | {"mask": _encoded(mask), **_INPAINTING}
        if self.masks:
            mask = self.masks[prompt % len(self.masks)]
            return found | {"mask": _encoded(mask), **_INPAINTING}
        return found


def read_starts(pictures: Path | None, masks: str | None, out: Path) -> Starts:
    """The pictures and masks of a run; `masks` is a folder or `RANDOM_MASKS`."""
    if pictures is None:
        if masks is not None:
            raise InvalidInput("--masks needs pictures to paint in: name them with --start-from.")
        return Starts()
    found = picture_files(pictures)
    if masks == RANDOM_MASKS:
        return Starts(found, random_masks=out / MASKS)
    return Starts(found, () if masks is None else picture_files(Path(masks)))


def random_box(number: int, size: tuple[int, int]) -> bytes:
    """A black picture with a white box, as PNG; the same for the same number and size."""
    from PIL import Image

    chance = random.Random(f"mask {number}")  # noqa: S311
    sides = [max(1, round(side * chance.uniform(_SHORTEST, _LONGEST))) for side in size]
    left, top = (chance.randint(0, side - length) for side, length in zip(size, sides, strict=True))
    mask = Image.new("L", size, 0)
    mask.paste(255, (left, top, left + sides[0], top + sides[1]))
    data = BytesIO()
    mask.save(data, "PNG")
    return data.getvalue()


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their names."""
    if not folder.is_dir():
        raise InvalidInput(f"There is no folder {folder}.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise InvalidInput(f"There are no pictures in {folder}.")
    return found


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
