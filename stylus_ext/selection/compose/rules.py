"""The rule-based composer: picks the surest candidates against which no rule speaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeVar

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates, Composition, NearMiss, Pick, Task
from stylus_ext.core.family import ANY, UNKNOWN, display_name, is_partial, needs, partly
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.phrases import EVEN, tag_likeness
from stylus_ext.core.prompt.words import words
from stylus_ext.selection.compose.checks import (
    CHARACTERS,
    is_called,
    is_mentioned,
    is_requested_tool,
    misfit,
    refusal,
    unrequested,
)
from stylus_ext.selection.compose.everyday import everyday_refusal, is_inside, other_thing
from stylus_ext.selection.compose.looks import (
    SURE_OF_LOOK,
    is_named_look,
    other_look,
    unrequested_style,
)
from stylus_ext.selection.compose.near_equals import shared_certainties
from stylus_ext.selection.compose.pick_order import MAX_CONSIDERED, PickOrder
from stylus_ext.selection.compose.tasks import (
    Tasks,
    UserAdapters,
    best_task,
    joint_tasks,
    mark_taken,
    merge_tasks,
    pick_reason,
    strength,
    tasks_of,
    uncertain,
    user_tags,
)
from stylus_ext.selection.compose.versions import other_version

S = TypeVar("S", bound="CompositionState")

LOOSEST = 0.02
STRICTEST = 0.98


CALIBRATED = 0.5


def needed(strictness: float) -> float:
    """Least certainty of a pick: LOOSEST at 0, CALIBRATED at 0.5, STRICTEST at 1."""
    if strictness <= 0.5:  # noqa: PLR2004
        return LOOSEST + (CALIBRATED - LOOSEST) * strictness * 2
    return CALIBRATED + (STRICTEST - CALIBRATED) * (strictness - 0.5) * 2


MAX_NEAR_MISSES = 10
MIN_REFUSED = 3
"""Near misses that the retriever refused and that are reported in any case."""

SURE_OF_TOOLS = 0.6
AS_GOOD = 0.6
"""Least share of the strongest evidence for a task that fits the candidate better."""

NEARLY_AS_SURE = 0.8
"""Least share of a pick's certainty that an alternative to it has."""

REPORTED = 0.2
"""Least certainty of a near miss."""


class RuleComposer:
    """Implements `Composer`."""

    name = "rules"

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        return CompositionState.begin(query, candidates).finish()


@dataclass(slots=True)
class CompositionState:
    """A composition in progress. The composer that asks a language model shares its checks."""

    query: Query
    candidates: Candidates
    words: frozenset[str]
    own: UserAdapters
    tasks: Tasks
    places_left: int
    is_caption: bool
    family: str = ""
    """The family of the first pick, or of the user's own adapter."""
    styles: int = 0
    picks: list[Pick] = field(default_factory=list)
    used: Counter[int] = field(default_factory=Counter)
    misses: dict[AdapterKey, NearMiss] = field(default_factory=dict)
    unrequested: set[AdapterKey] = field(default_factory=set)
    refusals: dict[AdapterKey, str] = field(default_factory=dict)
    shared: Mapping[AdapterKey, float] = field(default_factory=dict)
    """Certainties of those that stand for several interchangeable ones."""
    certainties: dict[AdapterKey, float] = field(default_factory=dict)
    second_best: dict[int, Candidate] = field(default_factory=dict)
    """By task the first candidate that is left out only because the task has its picks."""

    @classmethod
    def begin(cls: type[S], query: Query, candidates: Candidates, tasks: Tasks | None = None) -> S:
        """`tasks` are by default the spans of the candidates."""
        own = UserAdapters.of(query)
        free = tasks_of(candidates.spans) if tasks is None else tasks
        marked = mark_taken(free, candidates.found, user_tags(query), query.names)
        places_left = max(0, query.limits.max_adapters - len(own.names))
        is_caption = tag_likeness(query.prompt) < EVEN
        here = _words_of(query.prompt.text)
        state = cls(query, candidates, here, own, marked, places_left, is_caption)
        for candidate in candidates.found:
            if own.has(candidate.entry):
                state.styles += candidate.entry.kind == "style"
                state.family = state.family or candidate.entry.family
        fitting = (one for one in candidates.found[:MAX_CONSIDERED] if not state._refusal(one))
        state.shared = shared_certainties(fitting, state.words)
        return state

    def finish(self) -> Composition:
        for candidate in self._in_order():
            reason = self._against(candidate)
            if not reason:
                self._pick(candidate)
            elif self._is_near(candidate):
                key, name = candidate.key, candidate.entry.card.name
                miss = NearMiss(key, name, reason, candidate.evidence.sure)
                self.misses.setdefault(key, miss)
        tasks = tuple(self.tasks[start] for start in sorted(self.tasks))
        picks = tuple(map(self._moved_apart, self.picks))
        best = {pick.task: pick for pick in reversed(picks)}
        alternatives = tuple(
            other
            for start, candidate in self.second_best.items()
            if start in best and _is_equal(other := self._made(candidate, start), best[start])
        )
        return Composition(tasks, picks, self._near_misses(), alternatives=alternatives)

    def _in_order(self) -> list[Candidate]:
        found = self.candidates.found
        places = {candidate.key: self._task(candidate) for candidate in found[:MAX_CONSIDERED]}
        return PickOrder(places, self._doubt, self.query.limits, self.places_left).sorted(found)

    def _is_near(self, candidate: Candidate) -> bool:
        """What was never near is not reported, unless a rule speaks against what is named."""
        evidence = candidate.evidence
        if evidence.sure >= REPORTED or self.own.has(candidate.entry):
            return True
        return bool((evidence.named or evidence.trigger) and self._refusal(candidate))

    def _moved_apart(self, pick: Pick) -> Pick:
        """Move an unrequested pick to a task of its own, since picks of a task share weight."""
        if pick.key not in self.unrequested or not self.used[pick.task]:
            return pick
        free = (
            start
            for start in sorted(self.tasks)
            if not self.used[start] and not self.tasks[start].taken_by
        )
        return replace(pick, task=next(free, pick.task))

    def _near_misses(self) -> tuple[NearMiss, ...]:
        """The surest that were not picked, and some that the retriever refused."""
        refused = [miss for miss in self.candidates.refused if miss.key not in self.misses]
        own = list(self.misses.values())[: MAX_NEAR_MISSES - min(len(refused), MIN_REFUSED)]
        return tuple((own + refused)[:MAX_NEAR_MISSES])

    def _against(self, candidate: Candidate) -> str:
        """Why a candidate is not picked; the first reason that holds."""
        entry, limits = candidate.entry, self.query.limits
        if self.own.has(entry):
            return "you wrote it into the prompt"
        pinned = entry.edits.state == "always"
        doubt = "" if pinned else self._doubt(candidate)
        if doubt:
            return doubt
        if len(self.picks) >= self.places_left:
            return self._full()
        if reason := self._other_family(entry.family) or self._other_version(candidate):
            return reason
        if entry.kind == "style" and self.styles >= limits.max_styles:
            return f"limit reached: {_count(limits.max_styles, 'style')} (`--max-styles`)"
        return "" if pinned else self._task_full(candidate)

    def _other_version(self, candidate: Candidate) -> str:
        def may_be_picked(other: Candidate) -> bool:
            return not (self._doubt(other) or self._other_family(other.entry.family))

        found, picked = self.candidates.found, {pick.key for pick in self.picks}
        return other_version(candidate, found, picked, self.words, may_be_picked)

    def _doubt(self, candidate: Candidate) -> str:
        """What speaks against the candidate itself, whatever else is picked."""
        strictness = self.query.limits.strictness
        least, reason = needed(strictness), self._refusal(candidate)
        if not reason and self._sure(candidate) < least:
            return uncertain(candidate, least)
        if not reason and strictness >= CALIBRATED:
            return unrequested_style(candidate, self.words, is_caption=self.is_caption)
        return reason

    def _refusal(self, candidate: Candidate) -> str:
        if candidate.key not in self.refusals:
            self.refusals[candidate.key] = (
                refusal(candidate, self.words)
                or everyday_refusal(candidate, self.words)
                or other_thing(candidate, self.words)
                or other_look(candidate, self.words)
            )
        return self.refusals[candidate.key]

    def _sure(self, candidate: Candidate) -> float:
        """What is asked for by its purpose or look is meant, whatever else its card has."""
        if candidate.key not in self.certainties:
            sure = max(candidate.evidence.sure, self.shared.get(candidate.key, 0.0))
            if is_named_look(candidate, self.words):
                sure = max(sure, SURE_OF_LOOK)
            if is_requested_tool(candidate, self.words):
                sure = max(sure, SURE_OF_TOOLS)
            self.certainties[candidate.key] = sure
        return self.certainties[candidate.key]

    def _full(self) -> str:
        limit = f"{_count(self.query.limits.max_adapters, 'LoRA')} (`--max-adapters`)"
        if self.places_left:
            return f"limit reached: {limit}"
        return f"limit reached by your own: {limit}" if self.own.names else f"limit: {limit}"

    def _other_family(self, family: str) -> str:
        """If no family is set, the first pick decides."""
        if self.query.limits.family != ANY or self.family in ("", family) or family == UNKNOWN:
            return ""
        if not is_partial(family, self.family):
            return f"{needs(family)}; the other picks are for {display_name(self.family)}"
        return "" if self.query.limits.partial else partly(family, self.family)

    def _task_full(self, candidate: Candidate) -> str:
        start = self._task(candidate)
        if start is None:
            mentioned = is_mentioned(candidate.evidence) and self.tasks
            return "" if mentioned else unrequested(candidate.entry)
        task = self.tasks[start]
        reason = misfit(candidate, task.text, self.words)
        if reason and not is_mentioned(candidate.evidence):
            return reason
        if candidate.entry.kind == "style" and is_inside(task, self.query.prompt.text):
            return "it would change the style, which you did not ask for"
        if task.taken_by:
            return f'your own {task.taken_by} serves "{task.text}"'
        if self.used[start] >= self.query.limits.per_task:
            self.second_best.setdefault(start, candidate)
            names = (pick.name for pick in reversed(self.picks) if pick.task == start)
            return f'{next(names, "another")} fits "{task.text}" better'
        return ""

    def _task(self, candidate: Candidate) -> int | None:
        """The task with the strongest evidence, preferring those that the candidate fits."""
        fitting = {
            start: self.tasks[start]
            for start in candidate.spans
            if start in self.tasks and not misfit(candidate, self.tasks[start].text, self.words)
        }
        best, found = best_task(candidate, self.tasks), best_task(candidate, fitting)
        if best is None or found is None:
            return best
        least = AS_GOOD * strength(candidate.spans[best])
        return found if strength(candidate.spans[found]) >= least else best

    def _pick(self, candidate: Candidate) -> None:
        entry = candidate.entry
        # What is there only because the user always wants it takes no other adapter's place.
        requested = entry.edits.state != "always" or not self._doubt(candidate)
        start = self._task(candidate)
        if start is None:
            start = self._whole_prompt()
        elif requested:
            start = self._merge(candidate, start)
        self.used[start] += requested
        if not requested:
            self.unrequested.add(candidate.key)
        self.picks.append(self._made(candidate, start))
        self.styles += entry.kind == "style"
        if entry.family != UNKNOWN:
            self.family = self.family or entry.family

    def _made(self, candidate: Candidate, start: int) -> Pick:
        entry, evidence = candidate.entry, candidate.evidence
        text = self.tasks[start].text
        least, most = entry.weight_range
        return Pick(
            key=candidate.key,
            task=start,
            name=entry.card.name,
            weight=entry.weight,
            reason=pick_reason(candidate, text, candidate.spans.get(start), self.query),
            kind=entry.kind,
            score=round(self._sure(candidate), 5),
            pinned=entry.edits.state == "always"
            or (entry.kind in CHARACTERS and is_mentioned(evidence)),
            asked_for=is_called(candidate),
            min_weight=least,
            max_weight=most,
            type=entry.type,
        )

    def _merge(self, candidate: Candidate, start: int) -> int:
        """Make one task of those that the candidate serves together, unless one has a pick."""
        joint = joint_tasks(candidate, start, self.tasks)
        if any(self.used[at] for at in joint):
            return start
        before = self.tasks
        self.tasks = merge_tasks(before, joint, self.query.prompt.text)
        return joint[0] if self.tasks is not before else start

    def _whole_prompt(self) -> int:
        """A task for what no part of the prompt asks for: the first free one, or the whole."""
        free = [start for start in sorted(self.tasks) if not self.tasks[start].taken_by]
        if free:
            return free[0]
        text = self.query.prompt.text
        whole = Task(text.strip() or text, 0, len(text))
        self.tasks = {0: whole, **{start: task for start, task in self.tasks.items() if start}}
        return 0


def _words_of(text: str) -> frozenset[str]:
    """The words of a prompt, and each two neighbours as one: low poly is lowpoly."""
    written = words(text)
    return frozenset(written).union(map("".join, pairwise(written)))


def _is_equal(other: Pick, pick: Pick) -> bool:
    """Whether a second-best pick can take the place of a pick."""
    return other.kind == pick.kind and other.score >= NEARLY_AS_SURE * pick.score


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
