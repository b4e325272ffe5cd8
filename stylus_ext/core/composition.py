"""Composition: the tasks of a prompt with their picks. A key stands in it at most once."""

from __future__ import annotations

from dataclasses import dataclass

from stylus_ext.core.candidates import NearMiss
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput, Note


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
