"""One job of refining: questions go out, answers come in, and the budget is kept with what is still
under way.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from stylus_ext.catalogue.refine.failed_attempts import FailedAttempts
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import Cancelled, Unavailable
from stylus_ext.core.ports import Progress, Store
from stylus_ext.core.refining import (
    Check,
    CostlyRefiner,
    Expense,
    NotRefined,
    Refined,
    RefineLimits,
    RefineReport,
    Turn,
)

logger = logging.getLogger(__name__)


STEP = "refining"
_TICK_S = 0.1
_AHEAD = 2
_GATHER_S = 0.02
"""Answers that come within this are stored together; meanwhile others stand in line to be asked
about.
"""
_MOST_IN_VAIN = 5
"""Failures in a row, with nothing between them, after which it is not the cards: the job ends
instead of paying on.
"""


@dataclass(frozen=True, slots=True)
class RefineTarget:
    key: AdapterKey
    print: str
    estimate: Expense


class RefineDesk(Protocol):
    """Where the job gets its questions answered and its answers kept."""

    @property
    def pace(self) -> Callable[[Check], None]:
        """Waited for before each question."""
        ...

    def entry(self, key: AdapterKey) -> Entry | None:
        """As it is now; None where there is nothing to be refined any longer."""
        ...

    def describe(self, entry: Entry, check: Check, turn: Turn) -> Refined: ...

    def keep(self, made: Sequence[tuple[RefineTarget, Refined]]) -> None: ...

    def gave_up(self, one: RefineTarget) -> None: ...


@dataclass(slots=True)
class RefineJob:
    """Runs once, by `all`; its figures stand also where that ended with an error."""

    desk: RefineDesk
    limits: RefineLimits
    wanted: Sequence[RefineTarget]
    progress: Progress
    refined: int = 0
    failed: int = 0
    passed: int = 0
    spent: Expense = Expense()
    reasons: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    began: bool = False
    _foreseen: Expense = Expense()
    _asked: int = 0
    _in_vain: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _given_up: threading.Event = field(default_factory=threading.Event)
    _turns: threading.Semaphore = field(init=False)
    _open: dict[Future[Refined | None], RefineTarget] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._turns = threading.Semaphore(self.limits.at_once)

    def all(self) -> None:
        getting_ready = (
            self.limits.at_once - 1
        )  # where they go one by one, none is read before the last one is done with
        with ThreadPoolExecutor(
            self.limits.at_once + getting_ready, thread_name_prefix="stylus-refine"
        ) as pool:
            try:
                while self._more(pool) or self._open:
                    if wait(self._open, _TICK_S, FIRST_COMPLETED).not_done:
                        self._stop.wait(_GATHER_S)
                    self._take({future for future in self._open if future.done()})
                    self.progress.report(
                        STEP, self.refined + self.failed + self.passed, len(self.wanted)
                    )
            finally:
                self._stop.set()
                for future in self._open:
                    future.cancel()
                self._take(wait(self._open).done)

    def _more(self, pool: ThreadPoolExecutor) -> bool:
        """Lines up as many as can be paid; the pool asks about as many of them at once as may be,
        also while answers are stored.
        """
        while (
            not self.stopped
            and self._asked < len(self.wanted)
            and len(self._open) < _AHEAD * self.limits.at_once
        ):
            one = self.wanted[self._asked]
            under_way = sum((each.estimate for each in self._open.values()), one.estimate)
            if not self.limits.affords(
                self.spent + under_way.dearer(self.spent, self._foreseen)
            ):  # a model that thinks takes more
                if not self._open:  # else what comes in may have cost less than was thought
                    self.stopped = "The budget is used up."
                break
            self._asked, self.began = self._asked + 1, True
            self._open[pool.submit(self._one, one)] = one
        return not self.stopped and self._asked < len(self.wanted)

    def _one(self, one: RefineTarget) -> Refined | None:
        self._check()
        entry = self.desk.entry(one.key)
        return None if entry is None else self.desk.describe(entry, self._check, self._turn)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Of those that are ready, as many ask at once as may."""
        while not self._turns.acquire(timeout=_TICK_S):
            self._check()
        try:
            if self._given_up.is_set():
                raise Cancelled("Refining was given up.")
            self.desk.pace(self._check)
            yield
        finally:
            self._turns.release()

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled("Refining was stopped.")

    def _take(self, done: set[Future[Refined | None]]) -> None:
        made: list[tuple[RefineTarget, Refined]] = []
        for future in done:
            one = self._open.pop(future)
            if future.cancelled():
                continue
            try:
                refined = future.result()
            except Cancelled:
                continue
            except NotRefined as problem:
                self._missed(one, problem)
            except Unavailable as problem:
                self._unreached(problem)
            else:
                self._in_vain = 0
                if refined is None:
                    self.passed += 1
                else:
                    made.append((one, refined))
        if made:
            self.desk.keep(made)
            self.refined += len(made)
            self.spent = sum((refined.spent for _, refined in made), self.spent)
            self._foreseen = sum((one.estimate for one, _ in made), self._foreseen)

    def _missed(self, one: RefineTarget, problem: NotRefined) -> None:
        self.failed += 1
        self.spent += problem.spent
        self._foreseen += one.estimate
        self.reasons[str(problem)] += 1
        self.desk.gave_up(one)
        self._count_in_vain(str(problem))

    def _unreached(self, problem: Unavailable) -> None:
        """Not the card's fault: it is asked about again by the next job."""
        self.reasons[str(problem)] += 1
        self.passed += 1
        self._count_in_vain(str(problem))

    def _count_in_vain(self, why: str) -> None:
        self._in_vain += 1
        if self._in_vain >= _MOST_IN_VAIN and not self.stopped:
            self._given_up.set()  # for those that wait in line; who is asked already may answer
            self.stopped = (
                f"{self._in_vain} questions in a row came to nothing, the last one for this reason:"
                f" {why}"
            )


_PUBLISHED = "stylusdocs"  # described by a model that had seen pictures, too


class RefineCatalogue:
    """The use case. Only descriptions that came are stored, as they come; a text of the user's is
    never asked for, nor touched.
    """

    def __init__(
        self,
        store: Store,
        refiner: CostlyRefiner,
        attempts: FailedAttempts,
        changing: AbstractContextManager[object],
        pace: Callable[[Check], None],
    ) -> None:
        """`pace` is waited for before each question."""
        self._store, self._refiner, self._attempts, self._changing, self.pace = (
            store,
            refiner,
            attempts,
            changing,
            pace,
        )

    def estimate(self, limits: RefineLimits) -> RefineReport:
        """What would be done; nobody is asked."""
        return self._chosen(limits)[0]

    def __call__(self, limits: RefineLimits, progress: Progress) -> RefineReport:
        progress.report(STEP, 0)
        report, wanted = self._chosen(limits)
        if limits.dollars is not None and report.estimate.cost is None:
            return replace(
                report,
                left=len(wanted),
                stopped=(
                    "Nobody knows what this model costs, so no budget in dollars can be kept. "
                    "Set chat.price_in and chat.price_out, or give a budget in tokens."
                ),
            )
        run = RefineJob(self, limits, wanted, progress)
        try:
            run.all()
        finally:
            if run.began:
                self._refiner.release()
        done = replace(
            report,
            refined=run.refined,
            failed=run.failed,
            left=len(wanted) - run.refined - run.failed - run.passed,
            spent=run.spent,
            reasons=dict(run.reasons),
            stopped=run.stopped,
        )
        logger.info(
            "%d refined, %d failed, %d left, %d tokens",
            done.refined,
            done.failed,
            done.left,
            done.spent.tokens,
        )
        return done

    def describe(self, entry: Entry, check: Check, turn: Turn) -> Refined:
        return self._refiner.describe(entry.card, check, turn)

    def keep(self, made: Sequence[tuple[RefineTarget, Refined]]) -> None:
        """What the user said meanwhile, and what else is told of the card by now, stays."""
        with self._changing:
            entries = self._store.read([one.key for one, _ in made])
            self._store.write(
                [
                    replace(entries[one.key], description=refined.description)
                    for one, refined in made
                    if one.key in entries
                ]
            )
        for one, _ in made:
            self._attempts.succeeded(str(one.key))

    def entry(self, key: AdapterKey) -> Entry | None:
        entry = self._store.read([key]).get(key)
        return None if entry is None or entry.edits.text is not None else entry

    def gave_up(self, one: RefineTarget) -> None:
        self._attempts.failed(str(one.key), one.print)

    def _chosen(self, limits: RefineLimits) -> tuple[RefineReport, list[RefineTarget]]:
        """What is to be refined, the user's own files first; and what all of it will cost,
        about.
        """
        counts: Counter[str] = Counter()
        own: list[RefineTarget] = []
        others: list[RefineTarget] = []
        for entry in self._entries(limits):
            one = RefineTarget(entry.key, self._refiner.fingerprint(entry.card), Expense())
            why = self._not_wanted(entry, one.print, limits)
            if why:
                counts[why] += 1
                continue
            (own if entry.files else others).append(
                replace(one, estimate=self._refiner.estimate(entry.card))
            )
        wanted = [*own, *others][: limits.most]
        total = sum((one.estimate for one in wanted), Expense())
        report = RefineReport(
            wanted=len(wanted),
            left=len(wanted),
            known=counts["known"],
            edited=counts["edited"],
            waiting=counts["waiting"],
            estimate=total,
        )
        return report, wanted

    def _entries(self, limits: RefineLimits) -> Iterator[Entry]:
        everything = (change.entry for change in self._store.changes(0))
        named = None if limits.keys is None else self._store.read(limits.keys).values()
        for entry in everything if named is None else named:
            if entry is not None and (entry.files or not limits.on_disk):
                yield entry

    def _not_wanted(self, entry: Entry, print_: str, limits: RefineLimits) -> str:
        said = entry.description
        if entry.edits.text is not None:
            return "edited"
        if limits.keys is not None:
            return ""
        if said.source == _PUBLISHED and not limits.again:
            return "known"
        alike = (
            said.source.partition(":")[0] == self._refiner.source.partition(":")[0]
            and said.fingerprint == print_
        )
        if alike and (said.source == self._refiner.source or not limits.again):
            return "known"
        return "" if self._attempts.may(str(entry.key), print_) else "waiting"
