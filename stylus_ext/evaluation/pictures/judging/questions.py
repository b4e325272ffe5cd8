"""Questions to a language model that sees, each with its request and the record of its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Protocol

from stylus_ext.core.refining import Expense
from stylus_ext.evaluation.pictures.judging.pairs import (
    PicturePair,
    different,
    picture_pairs,
    prompt_pairs,
    small_jpeg,
)
from stylus_ext.evaluation.pictures.judging.rubrics import (
    DIVERSITY,
    TASK_SYSTEM,
    PairAnswer,
    ShownAnswer,
    ShownStyleAnswer,
    pair_system,
    pair_user,
    task_user,
)
from stylus_ext.evaluation.pictures.judging.tasks import (
    ShownTask,
    Tasks,
    TaskVerdict,
    TaskVerdictFile,
)
from stylus_ext.evaluation.pictures.judging.trials import now
from stylus_ext.evaluation.pictures.judging.verdicts import NONE, PairVerdict, VerdictFile
from stylus_ext.evaluation.pictures.manifest import ArmPicture
from stylus_ext.evaluation.pictures.metrics import PictureSet
from stylus_ext.llm import LlmAnswer, LlmClient, LlmEndpoint, LlmRequest, Spent, picture_tokens

DEFAULT_SIDE = 768
"""Pixels of the longer side of a picture that is sent."""
MOST_ON_A_SHEET = 9
_COUNTED_SIDE = 512
_CHARACTERS_PER_TOKEN = 4
_ANSWER_TOKENS = 250


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """What is sent for one question; the pictures are read when it is asked."""

    system: str
    user: str
    schema: type[LlmAnswer]
    images: tuple[tuple[Path, ...], ...]

    def message(self) -> LlmRequest[LlmAnswer]:
        images = tuple(small_jpeg(files, DEFAULT_SIDE) for files in self.images)
        return LlmRequest(self.system, self.user, self.schema, images)

    def estimate(self, endpoint: LlmEndpoint) -> Expense:
        area = (DEFAULT_SIDE / _COUNTED_SIDE) ** 2
        pictures = len(self.images) * ceil(picture_tokens(endpoint.model) * area)
        letters = len(self.system) + len(self.user)
        tokens = pictures + letters // _CHARACTERS_PER_TOKEN, _ANSWER_TOKENS
        price = endpoint.pays
        return Expense(*tokens, None if price is None else price.spent(*tokens).cost)


class JudgeQuestion(Protocol):
    """A question about pictures, whose answer goes to a file."""

    def request(self) -> JudgeRequest: ...

    def keep(self, answer: LlmAnswer | None, spent: Spent, problem: str = "") -> None:
        """Store the answer; None if the model gave no usable one, so that it is not paid again."""
        ...


@dataclass(frozen=True, slots=True)
class PairQuestion:
    """Which side of a pair is better by one criterion. Swapped, the other arm is shown first."""

    judge: str
    criterion: str
    pair: PicturePair
    swapped: bool
    folder: Path
    file: VerdictFile

    @property
    def key(self) -> tuple[str, str, str, bool]:
        return self.judge, self.criterion, self.pair.id, self.swapped

    @property
    def arms(self) -> tuple[str, str]:
        reference, other = self.pair.arms
        return (other, reference) if self.swapped else (reference, other)

    def request(self) -> JudgeRequest:
        sides = (self.pair.side(arm) for arm in self.arms)
        images = tuple(tuple(self.folder / each.file for each in side) for side in sides)
        user = pair_user(self.pair.text)
        return JudgeRequest(pair_system(self.criterion), user, PairAnswer, images)

    def keep(self, answer: LlmAnswer | None, spent: Spent, problem: str = "") -> None:
        found = answer if isinstance(answer, PairAnswer) else None
        self.file.add(
            PairVerdict(
                self.judge,
                self.criterion,
                self.pair.id,
                self.pair.prompt,
                *self.arms,
                NONE if found is None else found.choice,
                self.swapped,
                problem if found is None else found.choice_reason,
                None if found is None else found.a_score,
                None if found is None else found.b_score,
                "" if found is None else found.a_reason,
                "" if found is None else found.b_reason,
                now(),
                spent.tokens_in,
                spent.tokens_out,
                spent.cost,
            )
        )


@dataclass(frozen=True, slots=True)
class TaskQuestion:
    """Whether one picture shows one task."""

    judge: str
    picture: ArmPicture
    prompt: str
    task: ShownTask
    folder: Path
    file: TaskVerdictFile

    @property
    def key(self) -> tuple[str, ...]:
        picture = self.picture
        return self.judge, picture.arm, picture.sha256, self.task.task, self.task.style

    def request(self) -> JudgeRequest:
        user = task_user(self.prompt, self.task.task, self.task.style)
        schema = ShownStyleAnswer if self.task.style else ShownAnswer
        return JudgeRequest(TASK_SYSTEM, user, schema, ((self.folder / self.picture.file,),))

    def keep(self, answer: LlmAnswer | None, spent: Spent, problem: str = "") -> None:
        found = answer if isinstance(answer, ShownAnswer) else None
        style = answer if isinstance(answer, ShownStyleAnswer) else None
        self.file.add(
            TaskVerdict(
                self.judge,
                self.picture.arm,
                self.picture.prompt,
                self.picture.sha256,
                self.task.task,
                self.task.style,
                None if found is None else found.present,
                None if style is None else style.style,
                problem if found is None else found.reason,
                "" if style is None else style.style_reason,
                now(),
                spent.tokens_in,
                spent.tokens_out,
                spent.cost,
            )
        )


def pair_questions(
    client: LlmClient, pictures: PictureSet, criteria: Sequence[str], file: VerdictFile, again: bool
) -> list[JudgeQuestion]:
    """What is not answered yet. `again` asks once more what had no usable answer."""
    known = {each.key for each in file.latest() if each.choice != NONE or not again}
    every = _pair_questions(client, pictures, criteria, file)
    return [question for question in every if question.key not in known]


def _pair_questions(
    client: LlmClient, pictures: PictureSet, criteria: Sequence[str], file: VerdictFile
) -> Iterator[PairQuestion]:
    judge = client.endpoint.model
    single, groups = picture_pairs(pictures), prompt_pairs(pictures, MOST_ON_A_SHEET)
    for criterion in criteria:
        for pair in different(groups if criterion == DIVERSITY else single):
            for swapped in (False, True):
                yield PairQuestion(judge, criterion, pair, swapped, pictures.folder, file)


def task_questions(
    client: LlmClient, pictures: PictureSet, tasks: Tasks, file: TaskVerdictFile, again: bool
) -> list[JudgeQuestion]:
    known = {each.key for each in file.latest() if each.present is not None or not again}
    every = (
        TaskQuestion(client.endpoint.model, picture, prompt, task, pictures.folder, file)
        for picture in pictures.pictures
        for prompt in (pictures.prompts[picture.prompt],)
        for task in tasks.get(prompt, ())
    )
    return [question for question in every if question.key not in known]
