"""Composition: the tasks of a prompt with their picks. A key stands in it at most once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.prompt.phrases import Span


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a candidate: lexical and cosine scores, and the words of its name or trigger
    that the text has.

    `telling` says how rare the words of that name or trigger are in this catalogue, all told
    (nats); a common word has less than 3. `sure`, in 0..1, is how sure the retriever is that the
    candidate is meant.
    """

    lexical: float = 0.0
    cosine: float = 0.0
    named: tuple[str, ...] = ()
    trigger: str = ""
    telling: float = 0.0
    sure: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry with its score for one prompt. `spans` maps the start of a span to the evidence for
    it; `signs` are the numbers that score and surety were made of, from which a ranker is trained.
    """

    entry: Entry
    score: float
    evidence: Evidence = Evidence()
    spans: Mapping[int, Evidence] = field(default_factory=dict)
    signs: tuple[float, ...] = field(default=(), repr=False)

    @property
    def key(self) -> AdapterKey:
        return self.entry.key


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An adapter that was close and was not taken, and why."""

    key: AdapterKey
    name: str
    reason: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Best first; `confidence` in 0..1 says how sure it is that anything fits at all."""

    found: tuple[Candidate, ...]
    spans: tuple[Span, ...]
    confidence: float = 1.0
    refused: tuple[NearMiss, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of the prompt; `start` identifies it, `taken_by` is the user's own adapter that
    serves it already.
    """

    text: str
    start: int
    end: int
    segment: int = 0
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate chosen for the task that starts at `task`. A pinned pick is on in every mask;
    weight None is not known.

    Of a `said` one the weight is the user's own word for this plan: it is written as it is, as far
    as the cap allows.
    """

    key: AdapterKey
    task: int
    name: str
    weight: float | None
    reason: str
    kind: str = "unknown"
    score: float = 0.0
    pinned: bool = False
    said: bool = False


@dataclass(frozen=True, slots=True)
class Composition:
    """Tasks in the order of the prompt, picks best first, what was close, and what had to be done
    otherwise than asked for.
    """

    tasks: tuple[Task, ...] = ()
    picks: tuple[Pick, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        keys = [pick.key for pick in self.picks]
        if len(set(keys)) != len(keys):
            raise InvalidInput("An adapter stands twice in one composition.")
        starts = {task.start for task in self.tasks}
        if len(starts) != len(self.tasks):
            raise InvalidInput("Two tasks of a composition begin at the same place of the prompt.")
        if any(pick.task not in starts for pick in self.picks):
            raise InvalidInput("A pick of a composition belongs to none of its tasks.")

    def of_task(self, start: int) -> tuple[Pick, ...]:
        return tuple(pick for pick in self.picks if pick.task == start)


@dataclass(frozen=True, slots=True)
class Tag:
    """The stem that the host knows (or will know), the trigger words chosen, and what goes into the
    negative prompt.
    """

    key: AdapterKey
    stem: str
    on_disk: bool
    triggers: tuple[str, ...] = ()
    negative_text: str = ""
