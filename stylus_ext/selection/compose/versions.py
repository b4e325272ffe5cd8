"""Versions of one character: never two of them, and the one of which the prompt has most."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate
from stylus_ext.core.entry import Entry
from stylus_ext.selection.compose.checks import CHARACTERS, identity, own_words
from stylus_ext.selection.compose.everyday import is_everyday

NEARLY_AS_SURE = 0.15


def is_same_character(entry: Entry, other: Entry) -> bool:
    if not CHARACTERS.issuperset((entry.kind, other.kind)):
        return False
    shared = own_words(entry) & own_words(other)
    return any(not is_everyday(word) for word in shared)


def other_version(
    candidate: Candidate,
    found: Iterable[Candidate],
    picked: Collection[AdapterKey],
    words: Collection[str],
    may_be_picked: Callable[[Candidate], bool],
) -> str:
    """Why another version of a character is taken instead; empty if none is."""
    entry = candidate.entry
    if entry.kind not in CHARACTERS or entry.edits.state == "always":
        return ""
    least, count = candidate.evidence.sure - NEARLY_AS_SURE, _count(entry, words)
    for other in found:
        if other.key == candidate.key or not is_same_character(entry, other.entry):
            continue
        has_more = other.evidence.sure >= least and _count(other.entry, words) > count
        if other.key in picked or (has_more and may_be_picked(other)):
            return f"{other.entry.card.name} draws the same character"
    return ""


def _count(entry: Entry, words: Collection[str]) -> int:
    """How many words of the prompt the card has, everyday words aside."""
    return sum(not is_everyday(word) for word in identity(entry).intersection(words))
