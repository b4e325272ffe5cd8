"""Candidates in, the order out in which they are taken: whoever comes first gets the task, the room
and the family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stylus_ext.backends.composers.calls import is_coined
from stylus_ext.core.candidates import Candidate
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.family import ANY, UNKNOWN, is_partial
from stylus_ext.core.settings import Selection

LOOKED_AT = 60
"""Candidates from the top that are weighed at all."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """What the order depends on: the task that each candidate would serve, what speaks against it,
    and the room there is.
    """

    places: Mapping[AdapterKey, int | None]
    doubt: Callable[[Candidate], str]
    limits: Selection
    room: int


def in_turn(found: Sequence[Candidate], by: Weighing) -> list[Candidate]:
    """What the user wants always, then the surest; equals in the retriever's order. Where no family
    is asked for, the one that serves the prompt best goes first, and what was made for nobody knows
    what last. Within the family, what fits where the prompt has a word that is one adapter's alone
    goes before what is surer of another task.
    """
    best = found[:LOOKED_AT]
    wanted = [candidate for candidate in found if candidate.entry.edits.state == "always"]
    rest = [candidate for candidate in best if candidate.entry.edits.state != "always"]
    coined = {by.places[candidate.key] for candidate in best if is_coined(candidate.evidence)} - {
        None
    }
    leading = leader(rest, by)

    def turn(candidate: Candidate) -> tuple[bool, bool, bool, float, bool]:
        family = candidate.entry.family
        stranger = by.limits.family == ANY and family != leading
        return (
            family == UNKNOWN,
            stranger,
            by.places[candidate.key] not in coined,
            -candidate.evidence.sure,
            is_partial(family, by.limits.family),
        )

    return wanted + sorted(rest, key=turn)


def leader(candidates: Sequence[Candidate], by: Weighing) -> str:
    """The family that serves the prompt best: for each of its tasks the surest counts, and who is
    sure more than two who are not.
    """
    if by.limits.family != ANY:
        return ""
    best: dict[str, dict[int | None, float]] = {}
    for candidate in candidates:
        family, place = candidate.entry.family, by.places[candidate.key]
        if family != UNKNOWN and not by.doubt(candidate):
            tasks = best.setdefault(family, {})
            tasks[place] = max(tasks.get(place, 0.0), candidate.evidence.sure)

    def worth(family: str) -> float:
        return sum(sorted((sure * sure for sure in best[family].values()), reverse=True)[: by.room])

    return max(best, key=worth, default="")
