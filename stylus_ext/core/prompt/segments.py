"""Tokens in, the parts that BREAK and AND make of a prompt out, with the place in each where text
may be added.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stylus_ext.core.prompt.brackets import Structure
from stylus_ext.core.prompt.tokens import AND, BREAK, COMMENT, NETWORK, Token

Separator = Literal["", "BREAK", "AND"]

_SEPARATORS: dict[str, Separator] = {BREAK: "BREAK", AND: "AND"}
_WEIGHT = re.compile(r"\s*([-+]?(?:\d+\.?|\d*\.\d+))\s*")


@dataclass(frozen=True, slots=True)
class Segment:
    """`text[start:end]` is the segment's own text: no white space around it, no comment and no AND
    weight behind it.
    """

    index: int
    start: int
    end: int
    separator: Separator  # what stands before it
    weight: float | None  # the :1.2 of "a AND b :1.2"
    # False where `end` lies inside a bracket: nothing can be added there without changing its
    # meaning
    closed: bool


def split(text: str, tokens: Sequence[Token], brackets: Structure) -> tuple[Segment, ...]:
    cuts = [index for index, token in enumerate(tokens) if token.kind in _SEPARATORS]
    segments: list[Segment] = []
    first = 0
    separator: Separator = ""
    for number, cut in enumerate([*cuts, len(tokens)]):
        last_of_part = cut == len(tokens) or tokens[cut].kind == AND
        # An empty segment has its place right after the separator before it.
        begin = tokens[first - 1].end if first else 0
        start, end, weight = _extent(text, tokens[first:cut], begin, last_of_part)
        closed = cut == first or brackets.depths[cut - 1] == 0
        segments.append(Segment(number, start, end, separator, weight, closed))
        if cut < len(tokens):
            separator = _SEPARATORS[tokens[cut].kind]
        first = cut + 1
    return tuple(segments)


def _extent(
    text: str, tokens: Sequence[Token], begin: int, last_of_part: bool
) -> tuple[int, int, float | None]:
    """Where a segment's text starts and ends; `last_of_part`: an AND weight may stand at its
    end.
    """
    limit = tokens[-1].end if tokens else begin
    start = min(limit, begin + len(text[begin:limit]) - len(text[begin:limit].lstrip()))
    if start == limit:
        return begin, begin, None
    end = _rstrip(text, start, _skip(tokens, {COMMENT}))
    if last_of_part:
        # The host strips extra networks before it looks for the weight.
        core = _rstrip(text, start, _skip(tokens, {COMMENT, NETWORK}))
        colon = text.rfind(":", start, core)
        match = _WEIGHT.fullmatch(text, colon + 1, core) if colon >= 0 else None
        if match is not None:
            return start, _rstrip(text, start, colon), float(match.group(1))
    return start, end, None


def _skip(tokens: Sequence[Token], kinds: set[str]) -> int:
    """The offset at which the trailing white space and tokens of these kinds begin."""
    for token in reversed(tokens):
        if token.kind not in kinds and not token.text.isspace():
            return token.end
    return tokens[0].start


def _rstrip(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())
