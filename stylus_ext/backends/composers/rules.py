"""RuleComposer: candidates in, a composition out, by rules alone; the twin of the composer that asks a model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from stylus_ext.backends.composers.demands import is_called, refusal
from stylus_ext.backends.composers.reasons import unsure, why
from stylus_ext.backends.composers.tasks import Own, best_span, merged, own_tags, spanned, taken, tasks_of
from stylus_ext.backends.composers.thresholds import needed
from stylus_ext.core.candidates import Candidate, Candidates, NearMiss
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Pick, Task
from stylus_ext.core.family import ANY, UNKNOWN, is_partial, partly, spoken
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.words import words

MOST_NEAR_MISSES = 10
REFUSED_AT_LEAST = 3
LOOKED_AT = 60
"""Candidates from the top that are weighed at all."""


class RuleComposer:
    """Implements `Composer`. Takes candidates by how sure they are, and each only where nothing speaks against it."""

    name = "rules"

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        return _Work.begun(query, candidates).done()


@dataclass(slots=True)
class _Work:
    query: Query
    candidates: Candidates
    said: frozenset[str]
    own: Own
    tasks: dict[int, Task]
    room: int
    kin: str = ""
    styles: int = 0
    picks: list[Pick] = field(default_factory=list)
    used: Counter[int] = field(default_factory=Counter)
    misses: dict[AdapterKey, NearMiss] = field(default_factory=dict)
    loose: set[AdapterKey] = field(default_factory=set)

    @classmethod
    def begun(cls, query: Query, candidates: Candidates) -> _Work:
        own = Own.of(query)
        tasks = taken(tasks_of(candidates.spans), candidates.found, own_tags(query), query.names)
        room = max(0, query.limits.max_adapters - len(own.names))
        work = cls(query, candidates, frozenset(words(query.prompt.text)), own, tasks, room)
        for candidate in candidates.found:
            if own.has(candidate.entry):
                work.styles += candidate.entry.kind == "style"
                work.kin = work.kin or candidate.entry.family
        return work

    def done(self) -> Composition:
        for candidate in self._in_turn():
            reason = self._against(candidate)
            if reason:
                self._miss(candidate, reason)
            else:
                self._pick(candidate)
        misses = self._near_misses()
        order = tuple(self.tasks[start] for start in sorted(self.tasks))
        return Composition(order, tuple(map(self._apart, self.picks)), misses)

    def _apart(self, pick: Pick) -> Pick:
        """What nothing asked for leaves a task that another serves, since picks of one task share their weight."""
        if pick.key not in self.loose or not self.used[pick.task]:
            return pick
        free = (start for start in sorted(self.tasks) if not self.used[start] and not self.tasks[start].taken_by)
        return replace(pick, task=next(free, pick.task))

    def _near_misses(self) -> tuple[NearMiss, ...]:
        """The surest that were not taken, and room for some of what the retriever refused."""
        refused = [miss for miss in self.candidates.refused if miss.key not in self.misses]
        own = list(self.misses.values())[: MOST_NEAR_MISSES - min(len(refused), REFUSED_AT_LEAST)]
        return tuple((own + refused)[:MOST_NEAR_MISSES])

    def _in_turn(self) -> list[Candidate]:
        """What the user wants always, then the surest; equals in the retriever's order. What was made for nobody knows what
        comes last, so that it decides the family only where nothing else does."""
        best = self.candidates.found[:LOOKED_AT]
        wanted = [candidate for candidate in self.candidates.found if candidate.entry.edits.state == "always"]
        rest = [candidate for candidate in best if candidate.entry.edits.state != "always"]
        return wanted + sorted(rest, key=self._turn)

    def _turn(self, candidate: Candidate) -> tuple[bool, float, bool]:
        family = candidate.entry.family
        return family == UNKNOWN, -candidate.evidence.sure, is_partial(family, self.query.limits.family)

    def _against(self, candidate: Candidate) -> str:
        """Why a candidate is not picked; the first reason that holds."""
        entry, limits = candidate.entry, self.query.limits
        if self.own.has(entry):
            return "you wrote it into the prompt yourself"
        wanted = entry.edits.state == "always"
        if not wanted:
            least = needed(limits.strictness, self.query.prompt.is_tags)
            reason = refusal(candidate, self.said)
            if reason or candidate.evidence.sure < least:
                return reason or unsure(candidate, least)
        if len(self.picks) >= self.room:
            return self._full()
        stranger = self._stranger(entry.family)
        if stranger:
            return stranger
        if entry.kind == "style" and self.styles >= limits.max_styles:
            return f"{limits.max_styles} styles are the most for one picture"
        return "" if wanted else self._crowded(candidate)

    def _stranger(self, family: str) -> str:
        """Where no family is asked for, the first pick decides; its relatives may join it where they are allowed."""
        if self.query.limits.family != ANY or self.kin in ("", family):
            return ""
        if not is_partial(family, self.kin):
            return f"it was made for {spoken(family)}, and the other picks for {spoken(self.kin)}"
        return "" if self.query.limits.partial else f"{partly(family, self.kin)}, for which the other picks were made"

    def _crowded(self, candidate: Candidate) -> str:
        start = best_span(candidate, self.tasks)
        if start is None:
            return "" if is_called(candidate.evidence) and self.tasks else "no part of the prompt asks for it"
        task = self.tasks[start]
        if task.taken_by:
            return f"your own {task.taken_by} serves '{task.text}' already"
        if self.used[start] >= self.query.limits.per_task:
            other = next((pick.name for pick in reversed(self.picks) if pick.task == start), "another")
            return f"{other} fits '{task.text}' better"
        return ""

    def _pick(self, candidate: Candidate) -> None:
        entry = candidate.entry
        start = best_span(candidate, self.tasks)
        asked_for = self._is_asked_for(candidate)
        if start is None:
            start = self._anywhere()
        elif asked_for:
            start = self._merge(candidate, start)
        self.used[start] += asked_for
        if not asked_for:
            self.loose.add(candidate.key)
        pinned = entry.edits.state == "always" or (entry.kind in {"character", "person"} and is_called(candidate.evidence))
        self.picks.append(Pick(
            key=candidate.key, task=start, name=entry.card.name, weight=entry.weight,
            reason=why(candidate, self.tasks[start].text, candidate.spans.get(start), self.query.limits.family),
            kind=entry.kind, score=candidate.evidence.sure, pinned=pinned,
        ))
        self.styles += entry.kind == "style"
        self.kin = self.kin or entry.family

    def _is_asked_for(self, candidate: Candidate) -> bool:
        """What is there only because the user wants it always takes no other adapter's place."""
        if candidate.entry.edits.state != "always":
            return True
        least = needed(self.query.limits.strictness, self.query.prompt.is_tags)
        return candidate.evidence.sure >= least and not refusal(candidate, self.said)

    def _full(self) -> str:
        most = self.query.limits.max_adapters
        if not self.room:
            return f"{most} adapters are the most for one picture, and you wrote {len(self.own.names)} yourself" if self.own.names else "no adapters are wanted"
        return f"{most} {'adapter is' if most == 1 else 'adapters are'} the most for one picture, and others fit better"

    def _merge(self, candidate: Candidate, start: int) -> int:
        """One adapter that spans two tasks makes them one, unless another pick stands in one of them."""
        starts = [at for at in spanned(candidate, start, self.tasks) if at == start or not self.used[at]]
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
        self.tasks = {0: Task(text.strip() or text, 0, len(text)), **{at: task for at, task in self.tasks.items() if at}}
        return 0

    def _miss(self, candidate: Candidate, reason: str) -> None:
        self.misses.setdefault(candidate.key, NearMiss(candidate.key, candidate.entry.card.name, reason, candidate.evidence.sure))
