"""Tokens in, the extra networks that the user wrote out: `<lora:name:0.8>` and its relatives."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from stylus_ext.core.prompt.tokens import NETWORK, Token

_COMMENT = re.compile("#[^\n]*")


@dataclass(frozen=True, slots=True)
class UserTag:
    """`weight` is None where none was written (the host takes 1) or where it is no number (the host
    then loads nothing).
    """

    kind: str
    name: str
    weight: float | None
    arguments: tuple[str, ...]  # everything after the name, as written
    start: int
    end: int


def user_tags(tokens: Iterable[Token]) -> tuple[UserTag, ...]:
    return tuple(_read(token) for token in tokens if token.kind == NETWORK)


def number(text: str) -> float | None:
    """The finite number that a text is, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _read(token: Token) -> UserTag:
    kind, _, inside = _COMMENT.sub("", token.text[1:-1]).partition(":")
    items = inside.split(":")
    # As the host reads them: an item with exactly one "=" is an argument by name, the first of the
    # others is the name.
    named = dict(item.split("=") for item in items if item.count("=") == 1)
    positional = [item for item in items if item.count("=") != 1]
    written = positional[1] if len(positional) > 1 else named.get("te", named.get("unet", ""))
    name = positional[0] if positional else ""
    arguments = list(items)
    if name in arguments:
        arguments.remove(name)
    return UserTag(kind, name, number(written), tuple(arguments), token.start, token.end)
