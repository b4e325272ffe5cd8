"""Ranked candidates in, the same out with versions of one model and near-copies set aside."""

from __future__ import annotations

from collections.abc import Iterable

from stylus_ext.backends.retrievers.names import name_phrases
from stylus_ext.core.candidates import Candidate, NearMiss

MOST_OF_ONE_NAME = 3


def diverse(ranked: Iterable[Candidate]) -> tuple[list[Candidate], list[NearMiss]]:
    """One version of each model, and at most three adapters of the same name; `always` stays whatever it is."""
    kept: list[Candidate] = []
    aside: list[NearMiss] = []
    models: dict[int, str] = {}
    named: dict[tuple[str, ...], int] = {}
    for candidate in ranked:
        card = candidate.entry.card
        name = next(iter(name_phrases(card.name)), ())
        again = models.get(card.model_id) if card.model_id else None
        pinned = candidate.entry.edits.state == "always"
        if again is not None and not pinned:
            aside.append(NearMiss(candidate.key, card.name, f"another version of it, {again}, fits better", candidate.score))
        elif name and named.get(name, 0) >= MOST_OF_ONE_NAME and not pinned:
            aside.append(NearMiss(candidate.key, card.name, "better ones have the same name", candidate.score))
        else:
            kept.append(candidate)
            named[name] = named.get(name, 0) + 1
            if card.model_id:
                models.setdefault(card.model_id, card.version or card.name)
    return kept, aside
