"""What a model answered, by what it was asked, so that the same question gets the same answer:
after a restart too, and for nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates, Composition, Evidence, Task
from stylus_ext.core.lru import LruCache
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.words import words
from stylus_ext.llm.server import ChatRequest
from stylus_ext.net.values import NotJson, parsed
from stylus_ext.selection.compose.llm_reply import Choice
from stylus_ext.selection.compose.name_match import is_called
from stylus_ext.selection.compose.rules import LOOKED_AT, CompositionState, needed
from stylus_ext.selection.compose.tasks import UserAdapters, own_tags, strength, taken

logger = logging.getLogger(__name__)


MOST = 256
_LARGEST = 4 * 1024 * 1024


class Answers:
    """The last ones, in a file that only its user can read; without one, for as long as the engine
    lives.
    """

    def __init__(self, path: Path | None = None, most: int = MOST) -> None:
        self._path = path
        self._guard = Lock()
        self._known = LruCache[str, Mapping[str, Any]](most)
        self._loaded = False

    def get(self, key: str) -> Mapping[str, Any] | None:
        with self._guard:
            self._load()
            return self._known.get(key)

    def put(self, key: str, answer: Mapping[str, Any]) -> None:
        with self._guard:
            self._load()
            self._known[key] = answer
            self._keep()

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            self._known.update(self._read())

    def _read(self) -> dict[str, Mapping[str, Any]]:
        if self._path is None:
            return {}
        try:
            if self._path.stat().st_size > _LARGEST:
                return {}
            rows = parsed(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, NotJson) as error:
            logger.warning("%s cannot be read, and is begun anew: %s", self._path, error)
            return {}
        if not isinstance(rows, dict):
            return {}
        return {str(key): answer for key, answer in rows.items() if isinstance(answer, dict)}

    def _keep(self) -> None:
        """What cannot be written is asked for again some day; that stops nobody's plan."""
        if self._path is None:
            return
        try:
            handle, part = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(dict(self._known.items()), file)
            Path(part).replace(self._path)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._path, error)


def key_of(name: str, temperature: float, question: ChatRequest[Any]) -> str:
    """Prompt, candidates and rules stand in the question's text; the seed counts where the
    temperature lets it.
    """
    seed = question.seed if temperature > 0 else None
    told = json.dumps(
        [name, temperature, seed, question.system, question.user, question.schema.__name__]
    )
    return hashlib.sha256(told.encode("ascii")).hexdigest()


TRUSTED = 0.2
"""Share of the surety that the rules need, which a model's choice needs yet: a card may have talked
it into something.
"""


@dataclass(slots=True)
class ChatWork(CompositionState):
    choice: Choice = field(default_factory=Choice)

    @classmethod
    def of(cls, query: Query, candidates: Candidates, choice: Choice) -> ChatWork:
        own = UserAdapters.of(query)
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
                work.family_so_far = work.family_so_far or candidate.entry.family
        return work

    def done(self) -> Composition:
        composition = CompositionState.done(self)
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
            or CompositionState._is_near(self, candidate)
        )

    def _place(self, candidate: Candidate) -> int | None:
        chosen = self.choice.picks.get(candidate.key)
        return CompositionState._place(self, candidate) if chosen is None else chosen[0]

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
