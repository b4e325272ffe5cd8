"""Sliders, speed and detail LoRAs: what each is for, and whether the prompt asks for it."""

from __future__ import annotations

from collections.abc import Collection

from stylus_ext.backends.composers.calls import is_called
from stylus_ext.core.candidates import Candidate
from stylus_ext.core.prompt.words import content_words

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

COINED = 9.0
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
        bool(words) and all(word in said for word in words) and candidate.evidence.telling >= COINED
    )
