"""Composition tests: the tasks that a picture should show, and what a model saw of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput, reason_of
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.judging.verdicts import TASK_FILE, RecordFile
from stylus_ext.evaluation.pictures.manifest import PictureFolder
from stylus_ext.evaluation.pictures.metrics import HIGHER, PictureSet, Values

_NO_PLAN = frozenset({"retriever-only", "random"})
"""Arms whose adapters were not chosen for tasks."""


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A part of the prompt; `style` names the adapters that were picked for it, if any."""

    task: str
    style: str = ""


Tasks = Mapping[str, Sequence[ShownTask]]
"""By prompt."""


@dataclass(frozen=True, slots=True)
class TaskVerdict:
    """Whether a picture shows a task, and its style; None if that was not asked or answered."""

    judge: str
    arm: str
    prompt: int
    picture: str
    task: str
    style: str
    present: bool | None
    has_style: bool | None = None
    reason: str = ""
    style_reason: str = ""
    at: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        return self.judge, self.arm, self.picture, self.task, self.style


class TaskVerdictFile(RecordFile[TaskVerdict]):
    def __init__(self, path: Path) -> None:
        super().__init__(path, TaskVerdict)


def planned_tasks(folder: PictureFolder, pictures: PictureSet) -> Tasks:
    """The tasks of each prompt by the first arm that planned any: the same for every arm."""
    plans = folder.plans()
    found: dict[str, Sequence[ShownTask]] = {}
    for prompt in sorted({each.prompt for each in pictures.pictures}):
        for arm in pictures.arms:
            texts = plans.get((arm, prompt))
            if texts is not None and texts.tasks and arm not in _NO_PLAN:
                tasks = [ShownTask(str(each["task"]), str(each["style"])) for each in texts.tasks]
                found[pictures.prompts[prompt]] = tasks
                break
    if not found:
        raise InvalidInput(
            f"The plans in {folder.folder} have no tasks. Name a file of tasks with --tasks."
        )
    return found


def tasks_of_file(file: Path) -> Tasks:
    """A JSON object per line: {"prompt": ..., "tasks": [a text, or {"task": ..., "style": ...}]}"""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {reason_of(error)}.") from error
    found = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            found[str(value["prompt"])] = [_task(each) for each in value["tasks"]]
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidInput(
                f"{file}, line {number}: it needs a prompt and a list of tasks."
            ) from error
    if not found:
        raise InvalidInput(f"There are no tasks in {file}.")
    return found


def _task(value: Any) -> ShownTask:
    if isinstance(value, str):
        return ShownTask(value)
    return ShownTask(str(value["task"]), str(value.get("style") or ""))


@dataclass(frozen=True, slots=True)
class ShownTaskMetric:
    """The share of a prompt's tasks that its pictures show, as one model saw it."""

    name: str
    about: str
    shares: Values
    better: str = HIGHER

    def missing(self, pictures: PictureSet) -> str:  # noqa: ARG002
        return ""

    def values(self, pictures: PictureSet, progress: Progress) -> Values:  # noqa: ARG002
        return self.shares


def task_metrics(folder: PictureFolder, pictures: PictureSet) -> Iterator[ShownTaskMetric]:
    """The metrics that verdicts about tasks give: none without verdicts."""
    there = {(each.arm, each.sha256) for each in pictures.pictures}
    by_judge: dict[str, list[TaskVerdict]] = defaultdict(list)
    for each in TaskVerdictFile(folder.folder / TASK_FILE).latest():
        if (each.arm, each.picture) in there:
            by_judge[each.judge].append(each)
    for judge, verdicts in sorted(by_judge.items()):
        shown = [(each, each.present) for each in verdicts if each.present is not None]
        styled = [(each, each.has_style) for each in verdicts if each.has_style is not None]
        for name, what, found in (
            ("task-present", "share of tasks that the pictures show", shown),
            ("style-present", "share of tasks in the style of their adapters", styled),
        ):
            if found:
                yield ShownTaskMetric(
                    f"{name} ({judge})", f"{what}, as {judge} sees it", _shares(found)
                )


def _shares(verdicts: Sequence[tuple[TaskVerdict, bool]]) -> Values:
    found: dict[str, dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for verdict, is_shown in verdicts:
        found[verdict.arm][verdict.prompt].append(is_shown)
    return {
        arm: {prompt: sum(each) / len(each) for prompt, each in by_prompt.items()}
        for arm, by_prompt in found.items()
    }
