"""Ranked candidates in, the same out with versions of one model and near-copies set aside."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stylus_ext.core.candidates import Candidate, NearMiss
from stylus_ext.core.card import AdapterCard, AdapterKey, series
from stylus_ext.core.prompt.calling import name_phrases

MOST_OF_ONE_NAME = 3
AS_GOOD = 0.9
"""Share of the best version's score from which another is as good: then the later one is taken."""

_FINISHED = float("inf")
_VERSION = re.compile(
    r"(?:^|[-_. ]|(?<=[a-z])(?=V))(?:v|ver|version)[-_. ]?(\d+(?:[._]\d+)*)", re.IGNORECASE
)
_EPOCH = re.compile(
    r"[-_. ](?:(?:e|ep|epoch|s|step|steps)[-_. ]?(\d+)|(\d{6}))(?=$|[-_. (])", re.IGNORECASE
)


def diverse(ranked: Iterable[Candidate]) -> tuple[list[Candidate], list[NearMiss]]:
    """One version or epoch of each model, and at most three adapters of the same name; `always`
    stays whatever it is.
    """
    listed = list(ranked)
    chosen = _chosen(listed)
    kept: list[Candidate] = []
    aside: list[NearMiss] = []
    named: dict[tuple[str, ...], int] = {}
    for candidate in listed:
        card = candidate.entry.card
        name = next(iter(name_phrases(card.name)), ())
        best = chosen.get(_model(card), candidate)
        pinned = candidate.entry.edits.state == "always"
        if best.key != candidate.key and not pinned:
            other = best.entry.card.version or best.entry.card.name
            reason = (
                f"another version of it, {other}, fits better"
                if best.score > candidate.score
                else f"a later version of it, {other}, fits as well"
            )
            aside.append(NearMiss(candidate.key, card.name, reason, candidate.score))
        elif name and named.get(name, 0) >= MOST_OF_ONE_NAME and not pinned:
            aside.append(
                NearMiss(
                    candidate.key, card.name, "better ones have the same name", candidate.score
                )
            )
        else:
            kept.append(candidate)
            named[name] = named.get(name, 0) + 1
    return kept, aside


def _chosen(ranked: list[Candidate]) -> dict[str, Candidate]:
    """Of each model what the user wants always, else the latest of those that fit as well as the
    best.
    """
    models: dict[str, list[Candidate]] = {}
    for candidate in ranked:
        model = _model(candidate.entry.card)
        if model:
            models.setdefault(model, []).append(candidate)
    return {model: _latest(versions) for model, versions in models.items()}


def _latest(versions: list[Candidate]) -> Candidate:
    best = max(versions, key=lambda candidate: candidate.score)
    equals = [
        candidate
        for candidate in versions
        if candidate.entry.family == best.entry.family and candidate.score >= AS_GOOD * best.score
    ] or [best]

    def rank(candidate: Candidate) -> tuple[bool, tuple[tuple[int, ...], float], float, AdapterKey]:
        card = candidate.entry.card
        return candidate.entry.edits.state == "always", issue(card), candidate.score, card.key

    return max(equals, key=rank)


def issue(card: AdapterCard) -> tuple[tuple[int, ...], float]:
    """Version and epoch, to compare: name_v2 comes after name, name-000008 after name-000004, and
    the finished name after both.
    """
    text = f"{card.name} {card.version}"
    versions = _VERSION.findall(text) or re.findall(r"^\s*(\d+(?:\.\d+)*)\s*$", card.version)
    epochs = [int(number or steps) for number, steps in _EPOCH.findall(text)]
    version = tuple(int(number) for number in re.split(r"[._]", versions[-1])) if versions else (1,)
    return version, float(epochs[-1]) if epochs else _FINISHED


def _model(card: AdapterCard) -> str:
    """What versions of one model have in common. Where no source knows the model, the name of the
    user's own file tells: name, name_v2 and name-000004 are epochs of one training; the same name
    from two strangers is not.
    """
    return series(card) if card.model_id is not None or card.source == "local" else ""
