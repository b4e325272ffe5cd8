"""What the language model answered: checked against what it was shown, then composed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates, Composition, Evidence, Task
from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import ESCAPE, TEXT, Prompt
from stylus_ext.core.prompt.words import STOP, singular
from stylus_ext.llm.injection_guard import plain
from stylus_ext.selection.compose.checks import is_mentioned
from stylus_ext.selection.compose.llm_prompt import (
    CompositionAnswer,
    NumberedReason,
    PruningAnswer,
    ShownCards,
)
from stylus_ext.selection.compose.pick_order import MAX_CONSIDERED
from stylus_ext.selection.compose.rules import CompositionState, needed
from stylus_ext.selection.compose.tasks import strength

_WORD = re.compile(r"[^\W_]+")
_MAX_TASK_WORDS = 40
"""A longer task is the prompt again."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int
    segment: int


class TaskFinder:
    """Finds where the words of a task are in a prompt."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._words = [word for word in _words_of(prompt) if word.text not in STOP]

    def find(self, text: str, taken: Sequence[Task]) -> Task | None:
        """The first free place where the words are neighbours in one segment."""
        found = (singular(word.lower()) for word in _WORD.findall(text))
        wanted = [word for word in found if word not in STOP]
        if not wanted or len(wanted) > _MAX_TASK_WORDS:
            return None
        for at, first in enumerate(self._words):
            run = self._words[at : at + len(wanted)]
            if [word.text for word in run] != wanted or run[-1].segment != first.segment:
                continue
            if _is_free(first.start, run[-1].end, taken):
                return self._task(first.start, run[-1].end, first.segment)
        return self._within_word(text.strip(), taken)

    def _task(self, start: int, end: int, segment: int) -> Task:
        return Task(self._prompt.text[start:end], start, end, segment)

    def _within_word(self, text: str, taken: Sequence[Task]) -> Task | None:
        """In scripts without spaces, a task is a part of a word."""
        if text.isascii() or not text:
            return None
        for word in self._words:
            at = self._prompt.text.find(text, word.start, word.end)
            if at >= 0 and _is_free(at, at + len(text), taken):
                return self._task(at, at + len(text), word.segment)
        return None


def _is_free(start: int, end: int, taken: Sequence[Task]) -> bool:
    return not any(start < task.end and task.start < end for task in taken)


def _words_of(prompt: Prompt) -> list[_Word]:
    """The words of the text itself, without weights, tags and wildcards."""
    found = []
    segments = iter(prompt.segments)
    segment = next(segments)
    for token in prompt.tokens:
        if token.kind not in (TEXT, ESCAPE):
            continue
        for word in _WORD.finditer(token.text):
            start, end = token.start + word.start(), token.start + word.end()
            while start >= segment.end and (following := next(segments, None)) is not None:
                segment = following
            if start < segment.end:
                found.append(_Word(singular(word.group().lower()), start, end, segment.index))
    return found


_REASON_LENGTH = 160
_MAX_TASKS, _MAX_CHOICES, _MAX_NOTES = 40, 20, 5
_TAG = re.compile(r"lora\s*:|lyco\s*:", re.IGNORECASE)


@dataclass(slots=True)
class Choice:
    """What the model chose. `picks` maps keys, in the model's order, to the start of the task and
    the reason; `pruned` maps keys to the reason why they must not be used.
    """

    tasks: dict[int, Task] = field(default_factory=dict)
    picks: dict[AdapterKey, tuple[int, str]] = field(default_factory=dict)
    pruned: dict[AdapterKey, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """Parts of the answer that could not be used."""
    unknown: int = 0
    """How many adapters it chose that it was not shown."""

    @property
    def names_adapters(self) -> bool:
        """Whether it chose any adapter, known or not. To choose none is an answer."""
        return bool(self.picks) or self.unknown > 0

    def notes(self) -> tuple[Note, ...]:
        problems = list(dict.fromkeys(self.problems))
        texts, rest = problems[:_MAX_NOTES], len(problems) - _MAX_NOTES
        if rest > 0:
            texts[-1] += f" And {rest} more problems."
        return tuple(Note("chat_dropped", text) for text in texts)


def read_choice(answer: CompositionAnswer, shown: ShownCards, prompt: Prompt) -> Choice:
    """From an answer that fits the schema. Nothing in it is trusted."""
    choice, finder = Choice(), TaskFinder(prompt)
    for row in answer.tasks[:_MAX_TASKS]:
        task = _read_task(row.task, choice, finder)
        if task is not None:
            choice.tasks[task.start] = task
            _read_picks(row.adapters, task, shown, choice)
    for key, reason in _read_rows(answer.prune, shown, choice):
        if key not in choice.picks:
            choice.pruned.setdefault(key, reason or "it does not fit")
    return choice


def prune(choice: Choice, answer: PruningAnswer, shown: ShownCards) -> None:
    """Apply the answer of the second turn, which removes picks and adds none."""
    for key, reason in _read_rows(answer.drop, shown, choice):
        if choice.picks.pop(key, None) is not None:
            choice.pruned[key] = reason or "it does not fit well enough"


def _read_task(text: str, choice: Choice, finder: TaskFinder) -> Task | None:
    """A task that was named twice is one task."""
    name = text.strip().casefold()
    same = (task for task in choice.tasks.values() if task.text.casefold() == name)
    task = next(same, None) or finder.find(text, list(choice.tasks.values()))
    if task is None:
        choice.problems.append(
            f"The model named a task that is not in the prompt or overlaps another:"
            f" '{safe_reason(text, 40)}'."
        )
    return task


def _read_picks(
    rows: Sequence[NumberedReason], task: Task, shown: ShownCards, choice: Choice
) -> None:
    for key, reason in _read_rows(rows, shown, choice):
        if key in choice.picks:
            name = next(
                candidate.entry.card.name for candidate in shown.candidates if candidate.key == key
            )
            choice.problems.append(f"The model chose {name} twice; the first task counts.")
        else:
            choice.picks[key] = (task.start, reason)


def _read_rows(
    rows: Sequence[NumberedReason], shown: ShownCards, choice: Choice
) -> list[tuple[AdapterKey, str]]:
    found = []
    for row in rows[:_MAX_CHOICES]:
        candidate = shown.numbered(row.number)
        if candidate is None:
            choice.unknown += 1
            choice.problems.append("The model chose an adapter that it was not shown.")
        else:
            found.append((candidate.key, safe_reason(row.reason, _REASON_LENGTH)))
    return found


def safe_reason(text: str, most: int) -> str:
    """One line without links and tags, since card texts may have manipulated the model."""
    return _TAG.sub("", plain(text, most)).strip(" .")


WELL = 0.6
"""Least coverage and cosine of a part of the prompt that supports a model's choice."""

TRUSTED = 0.2
"""Share of the certainty needed by the rules that a model's choice still needs, since card texts
may have manipulated the model.
"""


@dataclass(slots=True)
class ChoiceState(CompositionState):
    """A composition of what the model chose. The rules still check every pick."""

    choice: Choice = field(default_factory=Choice)

    @classmethod
    def of(cls, query: Query, candidates: Candidates, choice: Choice) -> ChoiceState:
        moved = tuple(_moved(candidate, candidates, choice.tasks) for candidate in candidates.found)
        state = cls.begin(query, replace(candidates, found=moved), choice.tasks)
        state.choice = choice
        return state

    def finish(self) -> Composition:
        composition = CompositionState.finish(self)
        picked = {pick.key for pick in composition.picks}
        reasons = {miss.key: miss.reason for miss in self.misses.values()}
        names = {candidate.key: candidate.entry.card.name for candidate in self.candidates.found}
        self.choice.problems += [
            f"The model chose {names[key]}, which was left out:"
            f" {reasons.get(key, 'others fit better')}."
            for key in self.choice.picks
            if key not in picked
        ]
        picks = tuple(
            replace(pick, reason=self.choice.picks.get(pick.key, (0, ""))[1] or pick.reason)
            for pick in composition.picks
        )
        return replace(composition, picks=picks, notes=self.choice.notes())

    def _in_order(self) -> list[Candidate]:
        """What the user always wants, what the model chose, and the rest, to say why not."""
        found = self.candidates.found
        by_key = {candidate.key: candidate for candidate in found}
        order = [
            *(candidate for candidate in found if candidate.entry.edits.state == "always"),
            *(by_key[key] for key in (*self.choice.picks, *self.choice.pruned)),
            *found[:MAX_CONSIDERED],
        ]
        return list({candidate.key: candidate for candidate in order}.values())

    def _doubt(self, candidate: Candidate) -> str:
        if reason := self._refusal(candidate):
            return reason
        if candidate.key in self.choice.pruned:
            return f"the model says: {self.choice.pruned[candidate.key]}"
        if candidate.key not in self.choice.picks:
            return "the model did not choose it"
        least = TRUSTED * needed(self.query.limits.strictness)
        if is_mentioned(candidate.evidence) or self._sure(candidate) >= least:
            return ""
        if any(map(_fits_well, candidate.spans.values())):
            return ""
        return "only the model chose it, without other evidence"

    def _is_near(self, candidate: Candidate) -> bool:
        named = candidate.key in self.choice.picks or candidate.key in self.choice.pruned
        return named or CompositionState._is_near(self, candidate)

    def _task(self, candidate: Candidate) -> int | None:
        chosen = self.choice.picks.get(candidate.key)
        return CompositionState._task(self, candidate) if chosen is None else chosen[0]

    def _merge(self, candidate: Candidate, start: int) -> int:  # noqa: ARG002
        return start


def _fits_well(evidence: Evidence) -> bool:
    """Whether words and meaning of a part of the prompt are those of the card."""
    return evidence.lexical >= WELL and evidence.cosine >= WELL


def _moved(candidate: Candidate, candidates: Candidates, tasks: Mapping[int, Task]) -> Candidate:
    """Give its evidence to the model's tasks, which begin and end elsewhere than the spans."""
    ends = {span.start: span.end for span in candidates.spans}
    found: dict[int, Evidence] = {}
    for start, evidence in candidate.spans.items():
        for task in tasks.values():
            overlaps = start < task.end and task.start < ends.get(start, start)
            if overlaps and strength(evidence) > strength(found.get(task.start, Evidence())):
                found[task.start] = evidence
    return replace(candidate, spans=found)
