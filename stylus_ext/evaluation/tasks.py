"""Score how well captions are split into tasks: precision, recall and F1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import Cut, runs, spans
from stylus_ext.evaluation.measuring import write_lines
from stylus_ext.evaluation.selection import records

_WORD = re.compile(r"[a-z0-9]+")
_SMALL = frozenset("a an the of to with in on at and is are her his its their".split())


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """Each task is matched with the best one of the other side, by the F1 of words."""

    prompts: int
    tasks_per_prompt: float
    overlapping: int
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def as_values(self) -> dict[str, float]:
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {
            "prompts": self.prompts,
            "tasks_per_prompt": round(self.tasks_per_prompt, 3),
            "overlapping": self.overlapping,
            **{name: round(value, 4) for name, value in shares.items()},
        }


def run_tasks(tasks: Path, out: Path, cut: Cut = runs) -> dict[str, float]:
    """Split every prompt, write the tasks to `out`, and score them."""
    wanted = read_tasks(tasks)
    mine = [[span.text for span in spans(parse_prompt(record["prompt"]), cut)] for record in wanted]
    write_lines(
        out,
        (
            {"row": record["row"], "tasks": found}
            for record, found in zip(wanted, mine, strict=True)
        ),
    )
    return score(wanted, mine).as_values()


def read_tasks(tasks: Path) -> list[Mapping[str, Any]]:
    return list(records(tasks, row=(int, str), prompt=str, tasks=(dict, list)))


def lines(report: Mapping[str, float]) -> Iterator[str]:
    counts = "{prompts} prompts, {tasks_per_prompt:.2f} tasks a prompt, {overlapping} overlapping"
    yield counts.format_map(report)
    yield "precision {precision:.3f}  recall {recall:.3f}  F1 {f1:.3f}".format_map(report)


def score(wanted: Sequence[Mapping[str, Any]], mine: Sequence[Sequence[str]]) -> TaskFigures:
    precision: list[float] = []
    recall: list[float] = []
    overlapping = 0
    for record, found in zip(wanted, mine, strict=True):
        theirs = [frozenset(listed(task)) for task in record["tasks"]]
        free = list(_disjoint(record["prompt"], found))
        overlapping += len(found) - len(free)
        precision += [_best(task, theirs) for task in free] + [0.0] * (len(found) - len(free))
        recall += [_best(task, free) for task in theirs]
    return TaskFigures(
        len(wanted),
        len(precision) / max(1, len(wanted)),
        overlapping,
        sum(precision) / max(1, len(precision)),
        sum(recall) / max(1, len(recall)),
    )


def _disjoint(prompt: str, found: Sequence[str]) -> Iterator[frozenset[str]]:
    """Return the tasks whose words no earlier task has used."""
    left = Counter(listed(prompt))
    for task in found:
        need = Counter(listed(task))
        if need and need <= left:
            left -= need
            yield frozenset(need)


def _best(task: frozenset[str], others: Sequence[frozenset[str]]) -> float:
    return max((share(task, other) for other in others), default=0.0)


def share(task: frozenset[str], other: frozenset[str]) -> float:
    """Return the F1 of two texts' words."""
    return 2 * len(task & other) / (len(task) + len(other)) if task & other else 0.0


def listed(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _SMALL]
