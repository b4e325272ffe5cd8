"""Composition: the tasks of a prompt with their picks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylus_ext.core.adapter_type import LORA
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.prompt.phrases import Span


@dataclass(frozen=True, slots=True)
class Evidence:
    """Match scores of a candidate. `rarity` is the rarity in nats of the matched name or trigger
    words (common words: below 3); `sure` (0..1) is the probability that the candidate is meant.
    """

    lexical: float = 0.0
    cosine: float = 0.0
    named: tuple[str, ...] = ()
    trigger: str = ""
    rarity: float = 0.0
    sure: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry scored for one prompt; `spans` by start, `features` for the ranker."""

    entry: Entry
    score: float
    evidence: Evidence = Evidence()
    spans: Mapping[int, Evidence] = field(default_factory=dict)
    features: tuple[float, ...] = field(default=(), repr=False)

    @property
    def key(self) -> AdapterKey:
        return self.entry.key


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An adapter that ranked high but was not picked, with the reason."""

    key: AdapterKey
    name: str
    reason: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates, best first; `confidence` (0..1) is the probability that any of them fits."""

    found: tuple[Candidate, ...]
    spans: tuple[Span, ...]
    confidence: float = 1.0
    refused: tuple[NearMiss, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A part of the prompt, identified by `start`; `taken_by` is the user's own adapter for it."""

    text: str
    start: int
    end: int
    segment: int = 0
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Pick:
    """A candidate chosen for the task at `task`. A pinned pick is active in every mask; weight None
    is unknown. If `user_weight`, the user set the weight: it is used as it is, up to the cap.

    `asked_for`: the prompt has its name or trigger, or the user keeps it. `min_weight` and
    `max_weight` are the range that its author states. `tool`: a slider, speed or utility adapter.
    """

    key: AdapterKey
    task: int
    name: str
    weight: float | None
    reason: str
    kind: str = "unknown"
    score: float = 0.0
    pinned: bool = False
    user_weight: bool = False
    asked_for: bool = False
    min_weight: float | None = None
    max_weight: float | None = None
    tool: bool = False
    type: str = LORA
    negative: bool = False
    """An embedding for the negative prompt, which serves no task."""


@dataclass(frozen=True, slots=True)
class Composition:
    """Tasks in prompt order, picks best first, near misses, notes. Each key occurs at most once.

    `alternatives` are second-best picks, at most one per task; a mask has them in place of picks.
    """

    tasks: tuple[Task, ...] = ()
    picks: tuple[Pick, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    notes: tuple[Note, ...] = ()
    alternatives: tuple[Pick, ...] = ()

    def __post_init__(self) -> None:
        keys = [pick.key for pick in self.all_picks]
        if len(set(keys)) != len(keys):
            raise InvalidInput("An adapter occurs twice in one composition.")
        starts = {task.start for task in self.tasks}
        if len(starts) != len(self.tasks):
            raise InvalidInput("Two tasks of a composition begin at the same place of the prompt.")
        if any(pick.task not in starts for pick in self.all_picks):
            raise InvalidInput("A pick of a composition belongs to none of its tasks.")

    @property
    def all_picks(self) -> tuple[Pick, ...]:
        return (*self.picks, *self.alternatives)

    def of_task(self, start: int) -> tuple[Pick, ...]:
        return tuple(pick for pick in self.picks if pick.task == start)


@dataclass(frozen=True, slots=True)
class Tag:
    """How a pick is written: the host's stem, chosen trigger words, negative-prompt text."""

    key: AdapterKey
    stem: str
    on_disk: bool
    triggers: tuple[str, ...] = ()
    negative_text: str = ""


@dataclass(frozen=True, slots=True)
class Mask:
    """Keys of the active picks, and a factor on their weights."""

    on: frozenset[AdapterKey]
    weight_factor: float = 1.0
