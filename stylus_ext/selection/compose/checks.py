"""What an adapter must have before it may be picked at all, by its kind: a sentence that says no,
or nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from stylus_ext.core.composition import Candidate
from stylus_ext.core.entry import Entry
from stylus_ext.core.feedback import ALIKE, likeness
from stylus_ext.core.prompt.words import content_words, name_phrases
from stylus_ext.selection.compose.name_match import (
    ATTRIBUTES,
    SOMEBODY,
    is_called,
    is_distinctive,
    is_named,
)

_ASKED_FOR = {
    "slider": frozenset(("slider",)),
    "speed": frozenset(
        ("lcm", "lightning", "turbo", "hyper", "dmd2", "dmd", "tcd", "schnell", "speed", "fast")
    ),
    "utility": frozenset(
        ("detailer", "tweaker", "enhancer", "offset", "noise", "utility", "fix", "adddetail")
    ),
}
_UNMISTAKABLE = frozenset(("lcm", "dmd2", "dmd", "tcd", "schnell"))
"""Who writes one of these means the method: a castle may be struck by lightning."""

COINED_UTILITY = 9.0
"""Nats that a trigger word must tell to ask for a tool by itself."""


def refusal_of_tool(candidate: Candidate, said: Collection[str]) -> str:
    """Why a tool may not be picked; empty where it may, or where it is no tool."""
    purpose = purpose_of(candidate)
    if not purpose or is_wanted(candidate, said):
        return ""
    asked = bool(_ASKED_FOR[purpose].intersection(said))
    lacks = (
        "which the prompt does not call by its name or trigger word"
        if asked
        else "which nothing in the prompt asks for"
    )
    return f"it is a {purpose} adapter, {lacks}"


def purpose_of(candidate: Candidate) -> str:
    said = candidate.entry.description
    for purpose, holds in (
        ("slider", said.slider),
        ("speed", said.speed),
        ("utility", said.utility),
    ):
        if holds:
            return purpose
    return ""


def is_wanted(candidate: Candidate, said: Collection[str]) -> bool:
    """It is a tool, and asked for: by what it is for and its name, by a method that is
    unmistakable, or by a coined trigger word.
    """
    purpose = purpose_of(candidate)
    if not purpose:
        return False
    asked = _ASKED_FOR[purpose].intersection(said)
    card = candidate.entry.card
    mine = set(content_words(" ".join((card.name, *card.tags, *candidate.entry.triggers))))
    if asked & mine & _UNMISTAKABLE:
        return True
    if asked and is_called(candidate.evidence):
        return True
    return _is_tagged(candidate, said)


def _is_tagged(candidate: Candidate, said: Collection[str]) -> bool:
    """Its own coined trigger word, which nobody writes by chance."""
    words = content_words(candidate.evidence.trigger)
    return (
        bool(words)
        and all(word in said for word in words)
        and candidate.evidence.telling >= COINED_UTILITY
    )


def refusal(candidate: Candidate, said: Collection[str]) -> str:
    """Why it may not be picked; empty where nothing speaks against it. `said` are the words of the
    prompt.
    """
    entry, seen = candidate.entry, candidate.evidence
    reason = refusal_of_tool(candidate, said)
    if reason:
        return reason
    if entry.kind in SOMEBODY and not is_named(candidate, said):
        return f"it draws a {entry.kind} whom the prompt does not name"
    if entry.card.weak and not is_distinctive(seen):
        if not (seen.named or seen.trigger):
            return (
                "little is known about it, and the prompt has neither its name nor its trigger word"
            )
        if not _was_used_so(entry, said):
            return (
                "little is known about it, and what the prompt has of its name is an everyday word"
            )
    return ""


def _was_used_so(entry: Entry, said: Collection[str]) -> bool:
    """Of a weak card the examples are the user's own pictures: a word that stands in many of these
    is common, and still means this one.
    """
    here = frozenset(content_words(" ".join(said)))
    return any(
        likeness(here, frozenset(content_words(example.prompt))) >= ALIKE
        for example in entry.card.examples
    )


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
