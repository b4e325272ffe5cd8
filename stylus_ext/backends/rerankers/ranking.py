"""Candidates and the scores of some of them go in; the same candidates come out in the order of the
scores.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stylus_ext.core.candidates import Candidate, Candidates
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry

_MOST_TEXT = 1200
_MOST_TRIGGERS = 6
_MOST_TAGS = 12
_MOST = sys.float_info.max
_PLACES = 5
"""So much of a score is the same however texts were put together in batches."""


def document(entry: Entry) -> str:
    """What is compared with the prompt: a card as one would tell it."""
    parts = [
        entry.card.name,
        ", ".join(entry.triggers[:_MOST_TRIGGERS]),
        entry.text,
        ", ".join(entry.card.tags[:_MOST_TAGS]),
    ]
    text = ". ".join(part for part in parts if part)[:_MOST_TEXT]
    return text.encode("utf-8", "replace").decode("utf-8") or " "


def foremost(candidates: Candidates, most: int) -> list[Candidate]:
    """Those worth being looked at again; the same ones whatever order they come in."""
    return sorted(candidates.found, key=lambda candidate: (-candidate.score, candidate.key))[:most]


def ordered(
    candidates: Candidates, looked_at: Sequence[Candidate], scores: Mapping[int, float]
) -> Candidates:
    """`scores` by place in `looked_at`; what has none comes after all that has, in the order that
    it had.
    """
    scored = [
        replace(candidate, score=round(scores[place], _PLACES))
        for place, candidate in enumerate(looked_at)
        if place in scores
    ]
    known: set[AdapterKey] = {candidate.key for candidate in scored}
    lowest = min((candidate.score for candidate in scored), default=0.0)
    rest = [
        candidate
        for candidate in foremost(candidates, len(candidates.found))
        if candidate.key not in known
    ]
    best = sorted(scored, key=lambda candidate: (-candidate.score, candidate.key))
    return replace(
        candidates,
        found=(
            *best,
            *(replace(candidate, score=min(candidate.score, lowest)) for candidate in rest),
        ),
    )


def usable(score: object) -> bool:
    return (
        isinstance(score, (int, float)) and not isinstance(score, bool) and -_MOST <= score <= _MOST
    )
