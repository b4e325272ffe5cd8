"""Ranked candidates in, the same out with versions of one model and near-copies set aside."""

from __future__ import annotations

from collections.abc import Iterable

from stylus_ext.core.candidates import Candidate, NearMiss
from stylus_ext.core.card import AdapterCard, series
from stylus_ext.core.prompt.calling import name_phrases

MOST_OF_ONE_NAME = 3


def diverse(ranked: Iterable[Candidate]) -> tuple[list[Candidate], list[NearMiss]]:
    """One version or epoch of each model, and at most three adapters of the same name; `always` stays whatever it is."""
    kept: list[Candidate] = []
    aside: list[NearMiss] = []
    models: dict[str, str] = {}
    named: dict[tuple[str, ...], int] = {}
    for candidate in ranked:
        card = candidate.entry.card
        name = next(iter(name_phrases(card.name)), ())
        model = _model(card)
        again = models.get(model) if model else None
        pinned = candidate.entry.edits.state == "always"
        if again is not None and not pinned:
            aside.append(NearMiss(candidate.key, card.name, f"another version of it, {again}, fits better", candidate.score))
        elif name and named.get(name, 0) >= MOST_OF_ONE_NAME and not pinned:
            aside.append(NearMiss(candidate.key, card.name, "better ones have the same name", candidate.score))
        else:
            kept.append(candidate)
            named[name] = named.get(name, 0) + 1
            if model:
                models.setdefault(model, card.version or card.name)
    return kept, aside


def _model(card: AdapterCard) -> str:
    """What versions of one model have in common. Where no source knows the model, the name of the user's own file tells:
    name, name_v2 and name-000004 are epochs of one training; the same name from two strangers is not."""
    return series(card) if card.model_id is not None or card.source == "local" else ""
