"""How common a word of English is among cards of adapters, for a catalogue too small to tell by
itself.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "data" / "common_words.txt"

COMMONEST, HALFWAY, FALL = 24.0, 1000.0, 1.3
"""Cards in 1,500 that have one of the commonest words; that of the word in line n is COMMONEST / (1
+ n / HALFWAY) ** FALL.
"""


@cache
def _lines() -> dict[str, int]:
    return {word: number for number, word in enumerate(FILE.read_text("ascii").split())}


def expected(word: str) -> float:
    """In how many of 1,500 cards the word is to be expected; none where it is no common word."""
    number = _lines().get(word)
    return 0.0 if number is None else COMMONEST / (1.0 + number / HALFWAY) ** FALL
