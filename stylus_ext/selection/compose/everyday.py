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
from stylus_ext.core.prompt.english import general_terms, things
from stylus_ext.core.prompt.words import common_words, content_words, name_phrases, split_compounds
from stylus_ext.selection.compose.checks import (
    ATTRIBUTES,
    CHARACTERS,
    COMMON,
    FILLERS,
    KINDS_OF_THINGS,
    identity,
)

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

SURE_OF_SCENE = 0.88
"""Least certainty of a background that the prompt does not name: a sky for clouds."""

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


def other_thing(candidate: Candidate, words: Collection[str]) -> str:
    """Why it draws another thing than the prompt names, or a particular sort of it."""
    entry, evidence = candidate.entry, candidate.evidence
    name = _plain_name(entry.card.name)
    if entry.kind not in KINDS_OF_THINGS or entry.card.weak or evidence.named or not name:
        return ""
    here = frozenset(words)
    general = {term for word in here for term in general_terms(word)}
    lacking = [word for word in name if word not in here and word not in general]
    if not lacking:
        return ""
    draws = f"it draws something else ({' '.join(name)})"
    is_other = name[-1] in lacking and name[-1] in things()
    if evidence.trigger:
        is_part = set(content_words(evidence.trigger)) <= set(name)
        return draws if is_part and is_other and len(lacking) >= MUCH_MORE else ""
    present = here.intersection(name)
    is_sure_scene = entry.kind == "background" and evidence.sure >= SURE_OF_SCENE
    is_unnamed = (present | general.intersection(name)) <= ATTRIBUTES
    if is_unnamed and not is_sure_scene and _is_plain(name[-1]):
        return draws
    if sorts := [word for word in lacking if present.intersection(general_terms(word))]:
        return f"more specific than your prompt ({' '.join(sorts)})"
    is_worn = entry.kind == "clothing"
    return draws if is_other and not is_worn and len(lacking) >= MUCH_MORE else ""


def _is_plain(word: str) -> bool:
    return is_everyday(word) or word in things()


@lru_cache(maxsize=4096)
def _plain_name(name: str) -> tuple[str, ...]:
    """The words of a name in their order, compounds by their parts, without filling words."""
    phrases = name_phrases(split_compounds(name) or name)
    words = phrases[0] if phrases else ()
    return tuple(word for word in words if word.isascii() and word not in MEDIA | FILLERS)


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
