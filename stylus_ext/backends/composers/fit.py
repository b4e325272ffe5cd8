"""A candidate and a task in, why the candidate is broader or narrower than the task out.

The paper: nothing that adds concepts, nothing broader than the task, nothing much narrower (1.3).
An adapter for a thing draws that thing; a task that has no more in common with it than what the
thing is made of, or how it looks, asks for another thing.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from stylus_ext.backends.composers.everyday import ATTRIBUTES
from stylus_ext.backends.composers.tools import purpose_of
from stylus_ext.core.candidates import Candidate
from stylus_ext.core.description import Entry
from stylus_ext.core.prompt.calling import name_phrases
from stylus_ext.core.prompt.words import content_words

THINGS = frozenset(("object", "clothing", "vehicle", "building", "animal"))

MUCH_NARROWER = 2
"""Words of its name that the prompt would have to have too, where it shares one word with the task.
"""


def misfit(candidate: Candidate, task: str, said: Collection[str]) -> str:
    """Why it is not what the task asks for; empty where nothing speaks against it. `said` are the
    words of the prompt.
    """
    entry = candidate.entry
    shared = _words((task,)) & identity(entry)
    if not shared or purpose_of(candidate):
        return ""
    if entry.kind in THINGS and shared <= ATTRIBUTES:
        return (
            f"it is narrower than '{task}', with which it shares no more than '{_listed(shared)}'"
        )
    name = _name(entry.card.name)
    lacking = {word for word in name - ATTRIBUTES if word.isascii()}.difference(said)
    if entry.kind == "style":
        strange = lacking and not _is_look(entry, shared, said)
        return (
            f"it is a style, and '{_listed(shared)}' is no more than a word of its name"
            if strange
            else ""
        )
    alone = len(identity(entry).intersection(said) - ATTRIBUTES) <= 1
    if alone and len(lacking) >= MUCH_NARROWER:
        return f"it is narrower than '{task}': nothing in the prompt asks for '{_listed(lacking)}'"
    return ""


def identity(entry: Entry) -> frozenset[str]:
    """The words of its name, tags and triggers."""
    return _name(entry.card.name) | _look(entry)


def _look(entry: Entry) -> frozenset[str]:
    return _words(entry.card.tags) | _words(entry.triggers)


def _is_look(entry: Entry, shared: Collection[str], said: Collection[str]) -> bool:
    """A tag or a trigger, the whole of it, speaks of what is shared: stained glass is no glass."""
    pieces = (
        _words((piece,))
        for text in (*entry.card.tags, *entry.triggers)
        for piece in text.split(",")
    )
    return any(not piece.isdisjoint(shared) and piece.issubset(said) for piece in pieces)


@lru_cache(maxsize=4096)
def _name(name: str) -> frozenset[str]:
    return frozenset(word for phrase in name_phrases(name) for word in phrase)


@lru_cache(maxsize=8192)
def _words(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(content_words(" ".join(texts)))


def _listed(words: Collection[str]) -> str:
    return " ".join(sorted(words))
