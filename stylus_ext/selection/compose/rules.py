"""RuleComposer: candidates in, a composition out, by rules alone; the twin of the composer that
asks a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates, Composition, NearMiss, Pick, Task
from stylus_ext.core.family import ANY, UNKNOWN, display_name, is_partial, partly
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.words import words
from stylus_ext.core.settings import Selection
from stylus_ext.selection.compose.checks import is_wanted, misfit, refusal
from stylus_ext.selection.compose.name_match import is_called, is_coined
from stylus_ext.selection.compose.tasks import (
    UserAdapters,
    best_span,
    merged,
    own_tags,
    spanned,
    strength,
    taken,
    tasks_of,
    unsure,
    why,
)

CAPTION_AT_HALF = 0.5
TAGS_AT_HALF = 0.5
LOOSEST = 0.02
SUREST = 0.98


def needed(strictness: float, is_tags: bool) -> float:
    """Straight from LOOSEST at 0 over the calibrated one at 0.5 to SUREST at 1."""
    middle = TAGS_AT_HALF if is_tags else CAPTION_AT_HALF
    if strictness <= 0.5:  # noqa: PLR2004
        return LOOSEST + (middle - LOOSEST) * strictness * 2
    return middle + (SUREST - middle) * (strictness - 0.5) * 2


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


MOST_NEAR_MISSES = 10
REFUSED_AT_LEAST = 3
SURE_OF_TOOLS = 0.6
AS_GOOD = 0.6
"""Share of the strongest evidence that another task must have to be taken for one that asks for
such a thing.
"""

FAR, FARTHEST = 0.2, 0.1
"""Sureties below which it is not told why something was not taken; the first where it could not
have been in any case.
"""


class RuleComposer:
    """Implements `Composer`. Takes candidates by how sure they are, and each only where nothing
    speaks against it.
    """

    name = "rules"

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        return CompositionState.begun(query, candidates).done()


@dataclass(slots=True)
class CompositionState:
    """One composition on its way; what a composer by other means shares with the rules are these
    checks.
    """

    query: Query
    candidates: Candidates
    said: frozenset[str]
    own: UserAdapters
    tasks: dict[int, Task]
    room: int
    family_so_far: str = ""
    styles: int = 0
    picks: list[Pick] = field(default_factory=list)
    used: Counter[int] = field(default_factory=Counter)
    misses: dict[AdapterKey, NearMiss] = field(default_factory=dict)
    loose: set[AdapterKey] = field(default_factory=set)
    refused: dict[AdapterKey, str] = field(default_factory=dict)

    @classmethod
    def begun(cls, query: Query, candidates: Candidates) -> CompositionState:
        own = UserAdapters.of(query)
        tasks = taken(tasks_of(candidates.spans), candidates.found, own_tags(query), query.names)
        room = max(0, query.limits.max_adapters - len(own.names))
        work = cls(query, candidates, frozenset(words(query.prompt.text)), own, tasks, room)
        for candidate in candidates.found:
            if own.has(candidate.entry):
                work.styles += candidate.entry.kind == "style"
                work.family_so_far = work.family_so_far or candidate.entry.family
        return work

    def done(self) -> Composition:
        for candidate in self._in_turn():
            reason = self._against(candidate)
            if not reason:
                self._pick(candidate)
            elif self._is_near(candidate):
                self._miss(candidate, reason)
        misses = self._near_misses()
        order = tuple(self.tasks[start] for start in sorted(self.tasks))
        return Composition(order, tuple(map(self._apart, self.picks)), misses)

    def _is_near(self, candidate: Candidate) -> bool:
        """What was never near is no near miss: in a small folder everything is found."""
        seen = candidate.evidence
        least = FAR if self._refusal(candidate) else FARTHEST
        return (
            bool(seen.named or seen.trigger) or seen.sure >= least or self.own.has(candidate.entry)
        )

    def _apart(self, pick: Pick) -> Pick:
        """What nothing asked for leaves a task that another serves, since picks of one task share
        their weight.
        """
        if pick.key not in self.loose or not self.used[pick.task]:
            return pick
        free = (
            start
            for start in sorted(self.tasks)
            if not self.used[start] and not self.tasks[start].taken_by
        )
        return replace(pick, task=next(free, pick.task))

    def _near_misses(self) -> tuple[NearMiss, ...]:
        """The surest that were not taken, and room for some of what the retriever refused."""
        refused = [miss for miss in self.candidates.refused if miss.key not in self.misses]
        own = list(self.misses.values())[: MOST_NEAR_MISSES - min(len(refused), REFUSED_AT_LEAST)]
        return tuple((own + refused)[:MOST_NEAR_MISSES])

    def _in_turn(self) -> list[Candidate]:
        places = {
            candidate.key: self._place(candidate) for candidate in self.candidates.found[:LOOKED_AT]
        }
        return in_turn(
            self.candidates.found, Weighing(places, self._doubt, self.query.limits, self.room)
        )

    def _against(self, candidate: Candidate) -> str:
        """Why a candidate is not picked; the first reason that holds."""
        entry, limits = candidate.entry, self.query.limits
        if self.own.has(entry):
            return "you wrote it into the prompt yourself"
        wanted = entry.edits.state == "always"
        doubt = "" if wanted else self._doubt(candidate)
        if doubt:
            return doubt
        if len(self.picks) >= self.room:
            return self._full()
        stranger = self._stranger(entry.family)
        if stranger:
            return stranger
        if entry.kind == "style" and self.styles >= limits.max_styles:
            return (
                f"{limits.max_styles} {'style is' if limits.max_styles == 1 else 'styles are'} the"
                " most for one picture"
            )
        return "" if wanted else self._crowded(candidate)

    def _stranger(self, family: str) -> str:
        """Where no family is asked for, the first pick decides; its relatives may join it where
        they are allowed.
        """
        if self.query.limits.family != ANY or self.family_so_far in ("", family):
            return ""
        if not is_partial(family, self.family_so_far):
            others = display_name(self.family_so_far)
            return f"it was made for {display_name(family)}, and the other picks for {others}"
        return (
            ""
            if self.query.limits.partial
            else f"{partly(family, self.family_so_far)}, for which the other picks were made"
        )

    def _doubt(self, candidate: Candidate) -> str:
        """What speaks against the candidate by itself, whatever else is picked."""
        least = needed(self.query.limits.strictness, self.query.prompt.is_tags)
        reason = self._refusal(candidate)
        return reason or (unsure(candidate, least) if self._sure(candidate) < least else "")

    def _refusal(self, candidate: Candidate) -> str:
        if candidate.key not in self.refused:
            self.refused[candidate.key] = refusal(candidate, self.said)
        return self.refused[candidate.key]

    def _sure(self, candidate: Candidate) -> float:
        """A tool that is asked for as such is meant, however little the card has in common with the
        rest of the prompt.
        """
        sure = candidate.evidence.sure
        return max(sure, SURE_OF_TOOLS) if is_wanted(candidate, self.said) else sure

    def _crowded(self, candidate: Candidate) -> str:
        start = self._place(candidate)
        if start is None:
            return (
                ""
                if is_called(candidate.evidence) and self.tasks
                else "no part of the prompt asks for it"
            )
        task = self.tasks[start]
        reason = misfit(candidate, task.text, self.said)
        if reason and not is_called(candidate.evidence):
            return reason
        if task.taken_by:
            return f"your own {task.taken_by} serves '{task.text}' already"
        if self.used[start] >= self.query.limits.per_task:
            other = next(
                (pick.name for pick in reversed(self.picks) if pick.task == start), "another"
            )
            return f"{other} fits '{task.text}' better"
        return ""

    def _place(self, candidate: Candidate) -> int | None:
        """The task for which most speaks, of those that ask for just such a thing; else of all."""
        asked = {start: self.tasks[start] for start in candidate.spans if start in self.tasks}
        fitting = {
            start: task
            for start, task in asked.items()
            if not misfit(candidate, task.text, self.said)
        }
        best, found = best_span(candidate, self.tasks), best_span(candidate, fitting)
        if best is None or found is None:
            return best
        seen = candidate.spans
        return found if strength(seen[found]) >= AS_GOOD * strength(seen[best]) else best

    def _pick(self, candidate: Candidate) -> None:
        entry = candidate.entry
        start = self._place(candidate)
        asked_for = self._is_asked_for(candidate)
        if start is None:
            start = self._anywhere()
        elif asked_for:
            start = self._merge(candidate, start)
        self.used[start] += asked_for
        if not asked_for:
            self.loose.add(candidate.key)
        pinned = entry.edits.state == "always" or (
            entry.kind in {"character", "person"} and is_called(candidate.evidence)
        )
        self.picks.append(
            Pick(
                key=candidate.key,
                task=start,
                name=entry.card.name,
                weight=entry.weight,
                reason=why(
                    candidate,
                    self.tasks[start].text,
                    candidate.spans.get(start),
                    self.query.limits.family,
                ),
                kind=entry.kind,
                score=candidate.evidence.sure,
                pinned=pinned,
            )
        )
        self.styles += entry.kind == "style"
        self.family_so_far = self.family_so_far or entry.family

    def _is_asked_for(self, candidate: Candidate) -> bool:
        """What is there only because the user wants it always takes no other adapter's place."""
        return candidate.entry.edits.state != "always" or not self._doubt(candidate)

    def _full(self) -> str:
        most = self.query.limits.max_adapters
        if not self.room:
            return (
                f"{most} adapters are the most for one picture, and you wrote {len(self.own.names)}"
                " yourself"
                if self.own.names
                else "no adapters are wanted"
            )
        return (
            f"{most} {'adapter is' if most == 1 else 'adapters are'} the most for one picture, and"
            " others fit better"
        )

    def _merge(self, candidate: Candidate, start: int) -> int:
        """One adapter that spans two tasks makes them one, unless another pick stands in one of
        them.
        """
        starts = [
            at for at in spanned(candidate, start, self.tasks) if at == start or not self.used[at]
        ]
        if self.used[start] or sorted(starts) != spanned(candidate, start, self.tasks):
            return start
        before = self.tasks
        self.tasks = merged(before, starts, self.query.prompt.text)
        return starts[0] if self.tasks is not before else start

    def _anywhere(self) -> int:
        """An adapter that no part of the prompt asks for serves the whole of it."""
        free = [start for start in sorted(self.tasks) if not self.tasks[start].taken_by]
        if free:
            return free[0]
        text = self.query.prompt.text
        self.tasks = {
            0: Task(text.strip() or text, 0, len(text)),
            **{at: task for at, task in self.tasks.items() if at},
        }
        return 0

    def _miss(self, candidate: Candidate, reason: str) -> None:
        self.misses.setdefault(
            candidate.key,
            NearMiss(candidate.key, candidate.entry.card.name, reason, candidate.evidence.sure),
        )
