"""The order in which candidates are considered for picks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate
from stylus_ext.core.family import ANY, UNKNOWN, is_partial
from stylus_ext.core.probe import tie_break
from stylus_ext.core.settings import Selection
from stylus_ext.selection.compose.checks import is_coined

MAX_CONSIDERED = 60
"""Candidates from the top that are considered."""

USUAL_FAMILIES = ("sd1", "sdxl")
LAST_RESORTS = ("sd2",)
"""Families for which hardly anybody has a checkpoint."""


@dataclass(frozen=True, slots=True)
class PickOrder:
    """Order of candidates, by task, objection, limits and the number of picks left."""

    places: Mapping[AdapterKey, int | None]
    doubt: Callable[[Candidate], str]
    limits: Selection
    places_left: int

    def sorted(self, found: Sequence[Candidate]) -> list[Candidate]:
        """`always` first, then the leading family, then coined names, then the surest.

        Of near-equals the one with the better probe is first; equals stay in the retriever's order.
        An unknown family goes with every other.
        """
        best = found[:MAX_CONSIDERED]
        pinned = [candidate for candidate in found if candidate.entry.edits.state == "always"]
        rest = [candidate for candidate in best if candidate.entry.edits.state != "always"]
        coined = {
            self.places[candidate.key] for candidate in best if is_coined(candidate.evidence)
        } - {None}
        leading = self.leading_family(rest)

        def order(candidate: Candidate) -> tuple[bool, bool, float, bool]:
            family = candidate.entry.family
            return (
                self.limits.family == ANY and family not in (leading, UNKNOWN),
                self.places[candidate.key] not in coined,
                -candidate.evidence.sure - tie_break(candidate.entry.probe),
                is_partial(family, self.limits.family),
            )

        return pinned + sorted(rest, key=order)

    def leading_family(self, candidates: Sequence[Candidate]) -> str:
        """The family that serves the prompt best, if none is set.

        That is the one with most coined names, then with most tasks, then with most of them on
        disk, then a usual one, then the surest. Of each task the surest candidate counts.
        """
        if self.limits.family != ANY:
            return ""
        best: dict[str, dict[int | None, Candidate]] = {}
        for candidate in candidates:
            family, place = candidate.entry.family, self.places[candidate.key]
            if family != UNKNOWN and not self.doubt(candidate):
                tasks = best.setdefault(family, {})
                tasks[place] = max(tasks.get(place, candidate), candidate, key=_value)
        ranks = {
            family: _family_rank(family, tasks, self.places_left) for family, tasks in best.items()
        }
        return max(ranks, key=ranks.__getitem__, default="")


def _value(candidate: Candidate) -> tuple[bool, float]:
    return is_coined(candidate.evidence), candidate.evidence.sure


def _family_rank(
    family: str, tasks: Mapping[int | None, Candidate], places_left: int
) -> tuple[bool, int, int, int, bool, float]:
    """Orders families by the candidates that serve one task each, or by None the whole prompt."""
    places = sorted(tasks, key=lambda place: _value(tasks[place]), reverse=True)[:places_left]
    chosen = [tasks[place] for place in places]
    return (
        family not in LAST_RESORTS,
        sum(is_coined(candidate.evidence) for candidate in chosen),
        sum(place is not None for place in places),
        sum(candidate.entry.stem is not None for candidate in chosen),
        family in USUAL_FAMILIES,
        sum(candidate.evidence.sure**2 for candidate in chosen),
    )
