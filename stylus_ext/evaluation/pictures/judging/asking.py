"""Ask a language model a list of questions within a budget; each answer is stored when it comes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from stylus_ext.core.errors import Cancelled, Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.core.refining import Expense, RefineLimits
from stylus_ext.evaluation.pictures.judging.questions import JudgeQuestion
from stylus_ext.llm import LlmClient, LlmProblem, LlmRefused, LlmUnreadable, Spent
from stylus_ext.net import Pace

_DEADLINE_S = 180.0
_POLL_S = 0.1
_MOST_FAILURES_IN_A_ROW = 5
_STEP = "Asking the language model"


def estimate(client: LlmClient, questions: Sequence[JudgeQuestion]) -> Expense:
    """What the questions are expected to cost; sends nothing."""
    found = (question.request().estimate(client.endpoint) for question in questions)
    return sum(found, Expense())


@dataclass(slots=True)
class JudgingJob:
    """One run over the questions; its counts are valid even if `run` raised."""

    client: LlmClient
    questions: Sequence[JudgeQuestion]
    limits: RefineLimits
    pace: Pace
    answered: int = 0
    unusable: int = 0
    """Answers that were paid for and say nothing."""
    spent: Expense = Expense()
    stopped: str = ""
    reasons: Counter[str] = field(default_factory=Counter)
    _asked: int = 0
    _estimated: Expense = Expense()
    _failures_in_a_row: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _open: dict[Future[Expense], tuple[JudgeQuestion, Expense]] = field(default_factory=dict)

    def run(self, progress: Progress) -> None:
        if self.limits.dollars is not None and self.client.endpoint.pays is None:
            self.stopped = (
                "The price of this model is unknown, so a budget in dollars cannot be kept. Set"
                " --price-in and --price-out, or give --token-budget."
            )
            return
        with ThreadPoolExecutor(self.limits.at_once, thread_name_prefix="stylus-judge") as pool:
            try:
                while self._submit(pool) or self._open:
                    wait(self._open, _POLL_S, FIRST_COMPLETED)
                    self._collect({future for future in self._open if future.done()})
                    done = self.answered + self.unusable
                    progress.report(_STEP, done, len(self.questions))
            finally:
                self._stop.set()
                self._collect(wait(self._open).done)

    def to_json(self) -> dict[str, Any]:
        return {
            "questions": len(self.questions),
            "answered": self.answered,
            "unusable": self.unusable,
            "left": len(self.questions) - self.answered - self.unusable,
            "reasons": dict(self.reasons),
            "stopped": self.stopped,
        }

    def _submit(self, pool: ThreadPoolExecutor) -> bool:
        """Ask what the budget allows; False if there is no more."""
        while (
            not self.stopped
            and self._asked < len(self.questions)
            and len(self._open) < self.limits.at_once
        ):
            question = self.questions[self._asked]
            own = question.request().estimate(self.client.endpoint)
            pending = sum((each for _, each in self._open.values()), own)
            # A model that reasons takes more than was estimated.
            if not self.limits.affords(self.spent + pending.dearer(self.spent, self._estimated)):
                if not self._open:
                    self.stopped = "The budget is used up."
                break
            self._asked += 1
            self._open[pool.submit(self._ask, question)] = question, own
        return not self.stopped and self._asked < len(self.questions)

    def _ask(self, question: JudgeQuestion) -> Expense:
        """Store the answer in this thread, so that nothing lies between it and the disk."""
        self.pace.wait(self._check)
        try:
            reply = self.client.ask(question.request().message(), _DEADLINE_S, self._check)
        except (LlmUnreadable, LlmRefused) as problem:
            if problem.spent.tokens_in:  # the model itself answered
                question.keep(None, problem.spent, str(problem))
            raise
        expense = Expense(reply.tokens_in, reply.tokens_out, reply.cost)
        question.keep(reply.answer, Spent(reply.tokens_in, reply.tokens_out, reply.cost))
        return expense

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled("Judging was stopped.")

    def _collect(self, done: set[Future[Expense]]) -> None:
        for future in done:
            _, own = self._open.pop(future)
            try:
                spent = future.result()
            except Cancelled:
                continue
            except LlmProblem as problem:
                self._count(problem)
                spent = Expense(
                    problem.spent.tokens_in, problem.spent.tokens_out, problem.spent.cost
                )
            else:
                self.answered += 1
                self._failures_in_a_row = 0
            self.spent += spent
            self._estimated += own

    def _count(self, problem: LlmProblem) -> None:
        is_answer = isinstance(problem, LlmUnreadable | LlmRefused) and problem.spent.tokens_in
        self.unusable += bool(is_answer)
        self.reasons[str(problem)] += 1
        self._failures_in_a_row += 1
        if not is_answer and not isinstance(problem, Unavailable):  # such as a wrong key
            self.stopped = str(problem)
        elif self._failures_in_a_row >= _MOST_FAILURES_IN_A_ROW and not self.stopped:
            self.stopped = (
                f"{self._failures_in_a_row} requests in a row failed, the last: {problem}"
            )
