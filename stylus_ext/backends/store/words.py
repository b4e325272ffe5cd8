"""Words as the full-text index knows them. In: any text, from a card or from a user. Out: text to
index, or a safe query.
"""

from __future__ import annotations

import re
import unicodedata

# Scripts written without spaces: every character is a word, so that a part of a name is found as a
# phrase.
_UNSPACED = re.compile("([\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])")
_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 12


def indexed(text: str) -> str:
    if text.isascii():
        return text.replace("\0", " ")
    plain = (
        unicodedata.normalize("NFKC", text)
        .replace("\0", " ")
        .encode("utf-8", "replace")
        .decode("utf-8")
    )
    return _UNSPACED.sub(r" \1 ", plain)


def query(text: str) -> str:
    """Every word must be found, as the beginning of a word; empty where the text has no words."""
    found = (_WORD.findall(indexed(word)) for word in text.split())
    return " AND ".join(
        f'"{" ".join(words)}" *' for words in list(filter(None, found))[:_MOST_WORDS]
    )
