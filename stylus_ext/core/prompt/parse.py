"""Prompt text in, a Prompt out: tokens, segments, the user's own tags; nothing is lost and nothing
is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stylus_ext.core.prompt.brackets import structure
from stylus_ext.core.prompt.segments import Segment, split
from stylus_ext.core.prompt.tokens import COMMA, NETWORK, NEWLINE, TEXT, WILDCARD, Token, tokenise
from stylus_ext.core.prompt.user_tags import UserTag, user_tags

COMMAS_OF_A_TAG_PROMPT = 3
WORDS_OF_A_TAG = 3


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    tokens: tuple[Token, ...]
    segments: tuple[Segment, ...]
    user_tags: tuple[UserTag, ...]
    unresolved: bool  # wildcards or variants are in it: what will be generated is not known yet
    is_tags: bool  # a list of short phrases between commas; else a caption

    def render(self) -> str:
        return "".join(token.text for token in self.tokens)


def parse_prompt(text: str) -> Prompt:
    tokens = tokenise(text)
    brackets = structure(tokens)
    return Prompt(
        text=text,
        tokens=tokens,
        segments=split(text, tokens, brackets),
        user_tags=user_tags(tokens),
        unresolved=brackets.variants or any(_is_wild(token) for token in tokens),
        is_tags=_is_tags(tokens),
    )


def _is_wild(token: Token) -> bool:
    if token.kind == NETWORK:  # <lora:__any__:1>
        return any(
            inner.kind == WILDCARD or "{" in inner.text for inner in tokenise(token.text[1:-1])
        )
    return token.kind == WILDCARD


def _is_tags(tokens: Sequence[Token]) -> bool:
    phrases = [0]
    commas = 0
    for token in tokens:
        if token.kind in {COMMA, NEWLINE}:
            commas += token.kind == COMMA
            phrases.append(0)
        elif token.kind in {TEXT, WILDCARD}:  # brackets and weights make no phrase longer
            phrases[-1] += sum(any(sign.isalnum() for sign in word) for word in token.text.split())
    lengths = sorted(length for length in phrases if length)
    return (
        commas >= COMMAS_OF_A_TAG_PROMPT
        and bool(lengths)
        and lengths[len(lengths) // 2] <= WORDS_OF_A_TAG
    )
