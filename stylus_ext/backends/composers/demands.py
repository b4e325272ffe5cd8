"""What an adapter must have before it may be picked at all, by its kind: a sentence that says no,
or nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from stylus_ext.backends.composers.calls import is_distinctive
from stylus_ext.backends.composers.persons import SOMEBODY, is_named
from stylus_ext.backends.composers.tools import refusal_of_tool
from stylus_ext.core.candidates import Candidate
from stylus_ext.core.description import Entry
from stylus_ext.core.prompt.words import content_words
from stylus_ext.core.verdicts import ALIKE, likeness


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
