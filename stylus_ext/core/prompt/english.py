"""English words, singular, and more general words for things: a pizza is food, a corgi is a dog."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from stylus_ext.core.prompt.words import common_words

_FILE = Path(__file__).resolve().parents[2] / "data" / "english_words.txt"


@cache
def english_words() -> dict[str, tuple[str, ...]]:
    """By word its more general words, nearest first; none for what is no thing."""
    lines = (line.split() for line in _FILE.read_text("ascii").splitlines())
    words: dict[str, tuple[str, ...]] = dict.fromkeys(common_words(), ())
    return words | {word: tuple(general) for word, *general in lines}


def general_terms(word: str) -> tuple[str, ...]:
    return english_words().get(word, ())


@cache
def things() -> frozenset[str]:
    """Words for things, and the more general ones."""
    general = english_words()
    return frozenset(word for word, terms in general.items() if terms).union(*general.values())
