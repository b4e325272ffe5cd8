"""Text that was put into a prompt for the user to see, and taking exactly that out again, whatever
he wrote around it meanwhile.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

_TAG = re.compile(r"<\w+:[^<>]+>")
_WORD = re.compile(r"\w+|\W")


def pieces(before: str, after: str) -> tuple[str, ...]:
    """What was inserted, in its order; all of `before` stands in `after`, in the same order."""
    start = len(os.path.commonprefix([before, after]))
    end = len(os.path.commonprefix([before[start:][::-1], after[start:][::-1]]))
    if start + end == len(before):
        return (after[start : len(after) - end],) if len(after) > len(before) else ()
    return _between(_WORD.findall(before), _WORD.findall(after)) or _between(before, after) or ()


def _between(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...] | None:
    """What stands between the parts; None where they are not all there."""
    found: list[str] = []
    at = 0
    for part in before:
        start = at
        while at < len(after) and after[at] != part:
            at += 1
        if at == len(after):
            return None
        found.append("".join(after[start:at]))
        at += 1
    return tuple(piece for piece in (*found, "".join(after[at:])) if piece)


def without(text: str, before: str, after: str) -> str:
    """`text` without what was inserted; the whole of `before` where nothing else was changed."""
    if text == after:
        return before
    for piece in reversed(pieces(before, after)):
        place = text.rfind(piece)
        text = (
            _without_tags(text, piece) if place < 0 else text[:place] + text[place + len(piece) :]
        )
    return text


def _without_tags(text: str, piece: str) -> str:
    """Of a piece that the user changed, the tags that still stand there as they were."""
    for tag in _TAG.findall(piece):
        place = text.rfind(tag)
        if place >= 0:
            start = place - 1 if text[:place].endswith(" ") else place
            text = text[:start] + text[place + len(tag) :]
    return text
