"""What an adapter must have before it may be picked at all, by its kind: a sentence that says no, or nothing."""

from __future__ import annotations

from collections.abc import Collection

from stylus_ext.core.candidates import Candidate, Evidence
from stylus_ext.core.prompt.words import content_words

DISTINCTIVE = 4.5
"""Nats that the words of a name or trigger must tell to stand for themselves; a word that every hundredth card has tells 4.6."""

RARE_NAME = 3.5
"""Nats that each word of somebody's name must tell on average: the name of a series tells less where many cards have it."""

CLOSE_ENOUGH = 0.45
"""Cosine with a span that counts as second evidence for a name that is a common word."""

_ASKED_FOR = {
    "slider": frozenset(("slider",)),
    "speed": frozenset(("lcm", "lightning", "turbo", "hyper", "dmd2", "dmd", "tcd", "schnell", "speed", "fast")),
    "utility": frozenset(("detailer", "tweaker", "enhancer", "offset", "noise", "utility", "fix", "adddetail")),
}


def refusal(candidate: Candidate, said: Collection[str]) -> str:
    """Why it may not be picked; empty where nothing speaks against it. `said` are the words of the prompt."""
    entry, seen = candidate.entry, candidate.evidence
    called = is_called(seen)
    purpose = _purpose(candidate)
    asked = bool(purpose and _ASKED_FOR[purpose].intersection(said))
    if purpose and not (called and asked) and not _is_tagged(candidate, said):
        lacks = "which the prompt does not call by its name or trigger word" if asked else "which nothing in the prompt asks for"
        return f"it is a {purpose} adapter, {lacks}"
    if entry.kind in {"character", "person"} and not (called and _is_named(candidate)):
        return f"it draws a {entry.kind} whom the prompt does not name"
    if entry.card.weak and not called:
        return "little is known about it, and the prompt has neither its name nor its trigger word"
    return ""


def is_called(seen: Evidence) -> bool:
    """The prompt has its name or a trigger word, and that is no common word, or there is more that speaks for it."""
    if not (seen.named or seen.trigger):
        return False
    return seen.telling >= DISTINCTIVE or len(seen.named) > 1 or seen.cosine >= CLOSE_ENOUGH


def _is_named(candidate: Candidate) -> bool:
    """By its first trigger, by one with a word of its name, or by a name that is no more common than names are.

    What somebody wears is in the triggers too, and the series somebody comes from in the name: neither is enough.
    """
    entry, seen = candidate.entry, candidate.evidence
    first = next((trigger.split(",")[0].strip() for trigger in entry.triggers), "")
    words = content_words(seen.trigger)
    if words and (words == content_words(first) or set(words) & set(content_words(entry.card.name))):
        return True
    if set(content_words(entry.card.name)) <= set(seen.named):
        return True
    return bool(seen.named) and seen.telling >= RARE_NAME * len(seen.named)


def _purpose(candidate: Candidate) -> str:
    said = candidate.entry.description
    for purpose, holds in (("slider", said.slider), ("speed", said.speed), ("utility", said.utility)):
        if holds:
            return purpose
    return ""


def _is_tagged(candidate: Candidate, said: Collection[str]) -> bool:
    """Its own coined trigger word, which nobody writes by chance."""
    words = content_words(candidate.evidence.trigger)
    return bool(words) and all(word in said for word in words) and candidate.evidence.telling >= 2 * DISTINCTIVE
