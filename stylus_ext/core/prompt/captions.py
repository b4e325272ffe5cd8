"""A sentence in, the runs of its words that an adapter could serve out, as offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stylus_ext.core.prompt.caption_words import STOP, WEAK, WEAK_VERBS

WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
ONLY_SPACE = re.compile(r"[^\S\r\n]*")
_BREAKS = STOP | WEAK | WEAK_VERBS
MOST_WORDS = 5


def runs(text: str) -> Iterator[tuple[int, int]]:
    """Words that follow each other with nothing between them but space and no weak word."""
    start = end = -1
    count = 0
    for match in WORD.finditer(text):
        weak = is_weak(match.group())
        joined = (
            start >= 0
            and not weak
            and count < MOST_WORDS
            and ONLY_SPACE.fullmatch(text, end, match.start())
        )
        if start >= 0 and not joined:
            yield start, end
            start = -1
        if weak:
            continue
        if start < 0:
            start, count = match.start(), 0
        end = match.end()
        count += 1
    if start >= 0:
        yield start, end


def is_weak(word: str) -> bool:
    plain = folded(word)
    return plain in _BREAKS or plain.isdigit() or not plain


def folded(word: str) -> str:
    return word.lower().replace("’", "'").removesuffix("'s")
