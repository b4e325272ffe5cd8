"""A Prompt in, its phrases out, with all syntax gone: what the picture shall show, piece by
piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stylus_ext.core.prompt import tokens as kinds
from stylus_ext.core.prompt.brackets import structure
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.stock import is_count, is_quality
from stylus_ext.core.prompt.tokens import Token
from stylus_ext.core.prompt.words import content_words

Role = Literal["content", "boilerplate", "count"]

_SEPARATE = frozenset(
    (
        kinds.COMMA,
        kinds.NEWLINE,
        kinds.STOP,
        kinds.BREAK,
        kinds.AND,
        kinds.NETWORK,
        kinds.WILDCARD,
        kinds.COMMENT,
    )
)


@dataclass(frozen=True, slots=True)
class Piece:
    """`text` has no syntax any more; `start` and `end` say where in the prompt it came from."""

    text: str
    start: int
    end: int
    segment: int
    weight: float  # the most attention that the host gives to a word of it
    role: Role


def pieces(prompt: Prompt) -> tuple[Piece, ...]:
    """All that says something: content and counts, without the boilerplate."""
    return tuple(piece for piece in phrases(prompt) if piece.role != "boilerplate")


def phrases(prompt: Prompt) -> tuple[Piece, ...]:
    """Every phrase with its role. The alternatives of [a|b], {a|b} and [a:b:0.5] are phrases of
    their own.
    """
    brackets = structure(prompt.tokens)
    found: list[Piece] = []
    held: list[tuple[Token, float]] = []
    segment = 0
    for index, token in enumerate(prompt.tokens):
        if index in brackets.separators or token.kind in _SEPARATE:
            found.extend(_piece(held, segment))
            held = []
            segment += token.kind in {kinds.BREAK, kinds.AND}
        elif (
            index not in brackets.silent
            and token.kind != kinds.ODDS
            and token.start < prompt.segments[segment].end
        ):
            held.append((token, brackets.weights[index]))
    found.extend(_piece(held, segment))
    return tuple(found)


def _piece(held: list[tuple[Token, float]], segment: int) -> Iterator[Piece]:
    """One phrase, or none where there is no word in it."""
    said = [(token, weight) for token, weight in held if not token.text.isspace()]
    if not said:
        return
    text = " ".join("".join(_plain(token) for token, _ in held).split())
    if not content_words(text):
        return
    first, last = said[0][0], said[-1][0]
    start = first.end - len(first.text.lstrip())
    end = last.start + len(last.text.rstrip())
    yield Piece(text, start, end, segment, max(weight for _, weight in said), _role(text))


def _plain(token: Token) -> str:
    return token.text[1:] if token.kind == kinds.ESCAPE else token.text


def _role(text: str) -> Role:
    if is_count(text):
        return "count"
    return "boilerplate" if is_quality(text) else "content"
