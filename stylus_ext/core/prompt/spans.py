"""A Prompt in, its spans out: the pieces that an adapter could serve, disjoint, in order, with
their places in the text.

Of tag prompts the commas rule, and only what is as long as a sentence is cut further; captions fall
into runs of telling words. Head counts, quality talk and ratings are no spans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stylus_ext.core.prompt.captions import runs
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.pieces import Piece, pieces
from stylus_ext.core.prompt.words import content_words

Cut = Callable[[str], Iterator[tuple[int, int]]]
"""Finds the tasks of a sentence, as offsets."""

_RATINGS = frozenset(("nsfw", "not safe for work"))
"""Ask for a kind of picture, and no adapter; a negative prompt may still forbid them."""

LONGEST_TAG = 4
"""Words up to which a piece of a tag prompt stays whole."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the prompt that an adapter could serve; `start` and `end` are offsets into the
    prompt's text.
    """

    text: str
    start: int
    end: int
    segment: int = 0


def spans(prompt: Prompt, cut: Cut = runs) -> tuple[Span, ...]:
    """`cut` is for sentences; a long tag falls into runs by the rules alone."""
    return tuple(
        span
        for piece in pieces(prompt)
        if piece.role == "content" and piece.text.casefold() not in _RATINGS
        for span in _of(prompt, piece, cut)
        if content_words(span.text)
    )


def _of(prompt: Prompt, piece: Piece, cut: Cut) -> Iterator[Span]:
    if prompt.is_tags and len(piece.text.split()) <= LONGEST_TAG:
        yield Span(piece.text, piece.start, piece.end, piece.segment)
        return
    written = prompt.text[piece.start : piece.end]
    for start, end in (runs if prompt.is_tags else cut)(written):
        yield Span(written[start:end], piece.start + start, piece.start + end, piece.segment)
