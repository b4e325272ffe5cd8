"""Civitai's ratings: which models and pictures are not safe for work."""

from __future__ import annotations

from stylus_ext.catalogue.sources.common import Json
from stylus_ext.net.values import number

_SAFE_BITS = 1 | 2  # PG and PG13
_NSFW_BITS = 4 | 8 | 16 | 32  # R, X, XXX, blocked
_SAFE_WORDS = frozenset({"none", "soft", "false", "pg", "pg13", "pg-13", ""})


def is_nsfw(rating: object, *, of_many: bool = False) -> bool:
    """Whether a rating is NSFW: a flag, a word or a bit mask.

    `of_many` is for the mask of a model's pictures together, where one safe bit is enough.
    """
    if isinstance(rating, bool):
        return rating
    mask = number(rating)
    if isinstance(rating, str) and mask is None:
        return rating.strip().casefold() not in _SAFE_WORDS
    if mask is None or mask <= 0 or mask != int(mask):
        return False
    if of_many and int(mask) & _SAFE_BITS:
        return False
    return bool(int(mask) & _NSFW_BITS) or int(mask) > _NSFW_BITS | _SAFE_BITS


def is_nsfw_model(model: Json, version: Json) -> bool:
    """Whether its author or Civitai says so, or none of its pictures is safe."""
    return any(
        is_nsfw(part.get("nsfw")) or is_nsfw(part.get("nsfwLevel"), of_many=True)
        for part in (model, version)
    )


def is_nsfw_picture(picture: Json) -> bool:
    return any(is_nsfw(picture.get(field)) for field in ("nsfw", "nsfwLevel", "browsingLevel"))
