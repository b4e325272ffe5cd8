"""A model's choice in, a composition out: the checks of the rules hold for it, whoever chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stylus_ext.backends.composers.calls import is_called
from stylus_ext.backends.composers.chat_reply import Choice
from stylus_ext.backends.composers.rules import Work
from stylus_ext.backends.composers.tasks import Own, own_tags, strength, taken
from stylus_ext.backends.composers.thresholds import needed
from stylus_ext.backends.composers.turns import LOOKED_AT
from stylus_ext.core.candidates import Candidate, Candidates, Evidence
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Task
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.words import words

TRUSTED = 0.2
"""Share of the surety that the rules need, which a model's choice needs yet: a card may have talked
it into something.
"""


@dataclass(slots=True)
class ChatWork(Work):
    choice: Choice = field(default_factory=Choice)

    @classmethod
    def of(cls, query: Query, candidates: Candidates, choice: Choice) -> ChatWork:
        own = Own.of(query)
        moved = tuple(_moved(one, candidates, choice.tasks) for one in candidates.found)
        tasks = taken(dict(choice.tasks), moved, own_tags(query), query.names)
        room = max(0, query.limits.max_adapters - len(own.names))
        work = cls(
            query,
            replace(candidates, found=moved),
            frozenset(words(query.prompt.text)),
            own,
            tasks,
            room,
            choice=choice,
        )
        for candidate in moved:
            if own.has(candidate.entry):
                work.styles += candidate.entry.kind == "style"
                work.kin = work.kin or candidate.entry.family
        return work

    def done(self) -> Composition:
        composition = Work.done(self)
        there = {pick.key for pick in composition.picks}
        reasons = {miss.key: miss.reason for miss in self.misses.values()}
        names = {one.key: one.entry.card.name for one in self.candidates.found}
        self.choice.dropped += [
            f"{names[key]}, which the model chose, was left out:"
            f" {reasons.get(key, 'others fit better')}."
            for key in self.choice.picks
            if key not in there
        ]
        picks = tuple(
            replace(pick, reason=self._reason(pick.key) or pick.reason)
            for pick in composition.picks
        )
        return replace(composition, picks=picks, notes=self.choice.notes())

    def _in_turn(self) -> list[Candidate]:
        """What the user wants always, what the model chose, and the rest, of which it is told why
        not.
        """
        by_key = {one.key: one for one in self.candidates.found}
        wanted = [one for one in self.candidates.found if one.entry.edits.state == "always"]
        order = [
            *wanted,
            *(by_key[key] for key in (*self.choice.picks, *self.choice.pruned)),
            *self.candidates.found[:LOOKED_AT],
        ]
        return list({one.key: one for one in order}.values())

    def _doubt(self, candidate: Candidate) -> str:
        reason = self._refusal(candidate)
        if reason:
            return reason
        if candidate.key in self.choice.pruned:
            return f"the model says: {self.choice.pruned[candidate.key]}"
        if candidate.key not in self.choice.picks:
            return "the model did not choose it"
        least = TRUSTED * needed(self.query.limits.strictness, self.query.prompt.is_tags)
        if is_called(candidate.evidence) or self._sure(candidate) >= least:
            return ""
        return "nothing speaks for it but the model's word"

    def _is_near(self, candidate: Candidate) -> bool:
        return (
            candidate.key in self.choice.picks
            or candidate.key in self.choice.pruned
            or Work._is_near(self, candidate)
        )

    def _place(self, candidate: Candidate) -> int | None:
        chosen = self.choice.picks.get(candidate.key)
        return Work._place(self, candidate) if chosen is None else chosen[0]

    def _merge(self, candidate: Candidate, start: int) -> int:  # noqa: ARG002
        return start

    def _reason(self, key: AdapterKey) -> str:
        chosen = self.choice.picks.get(key)
        return "" if chosen is None else chosen[1]


def _moved(candidate: Candidate, candidates: Candidates, tasks: Mapping[int, Task]) -> Candidate:
    """With its evidence at the model's tasks, whose places are not those of the retriever's
    spans.
    """
    ends = {span.start: span.end for span in candidates.spans}
    found: dict[int, Evidence] = {}
    for start, seen in candidate.spans.items():
        for task in tasks.values():
            if (
                start < task.end
                and task.start < ends.get(start, start)
                and strength(seen) > strength(found.get(task.start, Evidence()))
            ):
                found[task.start] = seen
    return replace(candidate, spans=found)
