"""Civitai's ratings in all their spellings: booleans, masks of bits, words; whether something is
safe for work comes out.
"""

from __future__ import annotations

from collections.abc import Mapping

from stylus_ext.backends.statements.values import number

_SAFE_BITS = 1 | 2  # PG and PG13
_UNSAFE_BITS = 4 | 8 | 16 | 32  # R, X, XXX, blocked
_SAFE_WORDS = frozenset({"none", "soft", "false", "pg", "pg13", "pg-13", ""})


def is_unsafe(value: object, *, mixed: bool = False) -> bool:
    """A mask that has a safe bit is safe where it may be `mixed` (a model's, of all its pictures),
    not where it is a picture's.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and number(value) is None:
        return value.strip().casefold() not in _SAFE_WORDS
    mask = number(value)
    if mask is None or mask <= 0 or mask != int(mask):
        return False  # nothing is said
    if mixed and int(mask) & _SAFE_BITS:
        return False
    return bool(int(mask) & _UNSAFE_BITS) or int(mask) > _UNSAFE_BITS | _SAFE_BITS


def unsafe_model(model: Mapping[str, object], version: Mapping[str, object]) -> bool:
    """What its author or Civitai says of it, and whether any of its pictures is safe."""
    return (
        is_unsafe(model.get("nsfw"))
        or is_unsafe(model.get("nsfwLevel"), mixed=True)
        or is_unsafe(version.get("nsfw"))
        or is_unsafe(version.get("nsfwLevel"), mixed=True)
    )


def unsafe_picture(picture: Mapping[str, object]) -> bool:
    return any(is_unsafe(picture.get(name)) for name in ("nsfw", "nsfwLevel", "browsingLevel"))
