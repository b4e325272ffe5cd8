"""Pairs to judge: the same prompt and seed in the reference arm and in another arm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.evaluation.picks import order_of
from stylus_ext.evaluation.pictures.manifest import ArmPicture
from stylus_ext.evaluation.pictures.metrics import PictureSet

if TYPE_CHECKING:
    from PIL import Image

ID_LENGTH = 16
_LEAST = 2


@dataclass(frozen=True, slots=True)
class PicturePair:
    """One picture of each arm, or all pictures of a prompt for each arm."""

    prompt: int
    text: str
    reference: tuple[ArmPicture, ...]
    other: tuple[ArmPicture, ...]

    @property
    def arms(self) -> tuple[str, str]:
        """The reference arm and the other arm."""
        return self.reference[0].arm, self.other[0].arm

    @property
    def id(self) -> str:
        """Changes when one of the pictures is made again."""
        pictures = [(each.arm, each.sha256) for each in (*self.reference, *self.other)]
        return order_of(f"{self.text} {pictures}")[:ID_LENGTH]

    @property
    def is_same(self) -> bool:
        """Whether both arms made the same pictures, so that there is nothing to judge."""
        return [each.sha256 for each in self.reference] == [each.sha256 for each in self.other]

    def side(self, arm: str) -> tuple[ArmPicture, ...]:
        return self.reference if arm == self.arms[0] else self.other


def picture_pairs(pictures: PictureSet) -> list[PicturePair]:
    """A pair for each prompt, seed and other arm."""
    by_place: dict[tuple[int, int], dict[str, ArmPicture]] = defaultdict(dict)
    for each in pictures.pictures:
        by_place[each.prompt, each.number][each.arm] = each
    return [
        PicturePair(prompt, pictures.prompts[prompt], (arms[pictures.arms[0]],), (arms[other],))
        for (prompt, _), arms in by_place.items()
        for other in pictures.arms[1:]
    ]


def prompt_pairs(pictures: PictureSet, most: int) -> list[PicturePair]:
    """A pair of groups of two to `most` pictures for each prompt and other arm."""
    groups: dict[int, dict[str, tuple[ArmPicture, ...]]] = defaultdict(dict)
    for arm, prompt, group in pictures.groups():
        groups[prompt][arm] = tuple(sorted(group, key=lambda each: each.number)[:most])
    return [
        PicturePair(prompt, pictures.prompts[prompt], arms[pictures.arms[0]], arms[other])
        for prompt, arms in groups.items()
        for other in pictures.arms[1:]
        if len(arms[other]) >= _LEAST
    ]


def different(pairs: Iterable[PicturePair]) -> list[PicturePair]:
    return [pair for pair in pairs if not pair.is_same]


def opened(file: Path) -> Image.Image:
    """The pixels of a picture alone: its metadata names the prompt and the adapters."""
    from PIL import Image

    try:
        with Image.open(file) as picture:
            pixels: Image.Image = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidInput(f"{file} cannot be read: {reason_of(error)}.") from error
    return pixels


def png_of_same_size(file: Path, partner: Path) -> bytes:
    """The picture as PNG; a size that only one of two arms has would give the arm away."""
    from PIL import ImageOps

    picture, other = opened(file), opened(partner)
    if picture.size != other.size:
        size = min(picture.width, other.width), min(picture.height, other.height)
        picture = ImageOps.fit(picture, size)
    data = BytesIO()
    picture.save(data, "PNG", compress_level=1)
    return data.getvalue()


def small_jpeg(files: Sequence[Path], side: int) -> bytes:
    """One picture, or a sheet of several, of at most `side` pixels a side."""
    from PIL import Image

    columns = ceil(sqrt(len(files)))
    cell = side // columns
    pictures = [opened(file) for file in files]
    for picture in pictures:
        picture.thumbnail((cell, cell))
    width, height = max(each.width for each in pictures), max(each.height for each in pictures)
    sheet = Image.new("RGB", (width * columns, height * ceil(len(files) / columns)))
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (width * (place % columns), height * (place // columns)))
    data = BytesIO()
    sheet.save(data, "JPEG", quality=92)
    return data.getvalue()
