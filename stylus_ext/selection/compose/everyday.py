"""Why an everyday word of the prompt does not call an adapter by itself.

Common English words are names and triggers of many cards. Such a word counts if nothing in the
name asks for more than the prompt has, or if the prompt has more of the card beside it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from stylus_ext.core.composition import Candidate, Task
from stylus_ext.core.entry import Entry
from stylus_ext.core.prompt.words import common_words, content_words, name_phrases, split_compounds
from stylus_ext.selection.compose.checks import ATTRIBUTES, CHARACTERS, COMMON, identity

MEDIA = frozenset(
    """art artwork drawing illustration look painting photo photograph picture poster print
    rendering sculpture sketch statue style wallpaper""".split()
)
"""Words for a kind of picture, which a picture may also have in it."""

_INSIDE = re.compile(
    r"\b(?:with|and|near|beside|behind|under|above|holding|carrying|has|have|hanging|of|by)\s+"
    r"(?:(?:an?|the|some|two|three|several|his|her|its|their)\s+)?$",
    re.IGNORECASE,
)

MUCH_MORE = 2
"""Everyday words of the name that the prompt lacks, if the adapter is no style."""


def everyday_refusal(candidate: Candidate, words: Collection[str]) -> str:
    """Why the words that the prompt shares with a card do not call it; empty if they do.

    Characters have a check of their own, and of a weak card little more than a word is known.
    """
    entry, evidence = candidate.entry, candidate.evidence
    if entry.kind in CHARACTERS or entry.card.weak:
        return ""
    matched = {*evidence.named, *content_words(evidence.trigger)}
    if not matched or not all(is_everyday(word) for word in matched):
        return ""
    here = frozenset(words)
    if _has_more(entry, matched, here):
        return ""
    name = _words_of_name(entry.card.name)
    lacking = sorted(word for word in name - here - MEDIA - ATTRIBUTES if is_everyday(word))
    is_one_style_word = entry.kind == "style" and len(matched) == 1
    if lacking and (is_one_style_word or len(lacking) >= MUCH_MORE):
        return f"more specific than your prompt ({' '.join(lacking)})"
    if matched.isdisjoint(name) or (len(matched) == 1 and entry.kind == "unknown"):
        return "your prompt has only an everyday word of it"
    return ""


def is_inside(task: Task, text: str) -> bool:
    """Whether a kind of picture is a thing in the picture, like a painting on a wall."""
    own = set(content_words(task.text))
    return bool(own) and own <= MEDIA and bool(_INSIDE.search(text[: task.start]))


def is_everyday(word: str) -> bool:
    return word in common_words() or word in COMMON


def _has_more(entry: Entry, matched: Collection[str], words: frozenset[str]) -> bool:
    """Whether the prompt has other words of the card than those that match and the commonest."""
    more = (identity(entry) & words).difference(matched)
    return bool(more - COMMON - ATTRIBUTES - MEDIA)


@lru_cache(maxsize=4096)
def _words_of_name(name: str) -> frozenset[str]:
    """The words of a name; a compound counts by its parts."""
    parts = split_compounds(name)
    phrases = name_phrases(parts or name)
    return frozenset(word for phrase in phrases for word in phrase)
