"""What an adapter must have before it may be picked at all, by its kind: a sentence that says no, or nothing."""

from __future__ import annotations

from collections.abc import Collection

from stylus_ext.backends.composers.calls import is_distinctive
from stylus_ext.backends.composers.persons import SOMEBODY, is_named
from stylus_ext.backends.composers.tools import refusal_of_tool
from stylus_ext.core.candidates import Candidate


def refusal(candidate: Candidate, said: Collection[str]) -> str:
    """Why it may not be picked; empty where nothing speaks against it. `said` are the words of the prompt."""
    entry, seen = candidate.entry, candidate.evidence
    reason = refusal_of_tool(candidate, said)
    if reason:
        return reason
    if entry.kind in SOMEBODY and not is_named(candidate, said):
        return f"it draws a {entry.kind} whom the prompt does not name"
    if entry.card.weak and not is_distinctive(seen):
        if seen.named or seen.trigger:
            return "little is known about it, and what the prompt has of its name is an everyday word"
        return "little is known about it, and the prompt has neither its name nor its trigger word"
    return ""
