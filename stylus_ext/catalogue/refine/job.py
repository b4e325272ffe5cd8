"""The job that has a language model describe cards, within a budget; and its failed attempts."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

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
)
from stylus_ext.core.sources import Memory

logger = logging.getLogger(__name__)

STEP = "refining"

_DAY_S = 86_400.0
_POLL_S = 0.1
_QUEUED_PER_WORKER = 2
_STORE_AFTER_S = 0.02
"""Answers that arrive within this time are stored together, while other cards are prepared."""
_MAX_FAILURES_IN_A_ROW = 5
"""After that the server is at fault, not the cards: the job ends instead of paying on."""
_PUBLISHED_SOURCE = "stylusdocs"  # its model saw pictures too


@dataclass(slots=True)
class FailedAttempts:
    """Failures per item: after `max_tries` with the same content, none for `days`.

    Written to the memory after each failure, so that a killed job does not pay again.
    """

    memory: Memory
    name: str
    max_tries: int = 3
    days: float = 30.0
    clock: Callable[[], float] = time.time
    _failures: dict[str, tuple[str, int, float]] = field(init=False)

    def __post_init__(self) -> None:
        self._failures = self._read()

    def may_try(self, item: str, content: str) -> bool:
        before = self._failures.get(item)
        return before is None or before[0] != content or before[1] < self.max_tries

    def failed(self, item: str, content: str) -> None:
        before = self._failures.get(item)
        tries = before[1] if before is not None and before[0] == content else 0
        self._failures[item] = (content, tries + 1, self.clock())
        self._write()

    def succeeded(self, item: str) -> None:
        if self._failures.pop(item, None) is not None:
            self._write()

    def _read(self) -> dict[str, tuple[str, int, float]]:
        """Without expired failures; an unreadable text costs a few more tries."""
        since = self.clock() - self.days * _DAY_S
        try:
            stored = json.loads(self.memory.remembered(self.name) or "{}")
            return {
                item: (str(content), int(tries), float(at))
                for item, (content, tries, at) in stored.items()
                if since <= float(at) <= self.clock()
            }
        except (ValueError, TypeError, AttributeError):
            return {}

    def _write(self) -> None:
        self.memory.remember(self.name, json.dumps(self._failures))


@dataclass(frozen=True, slots=True)
class RefineTarget:
    """An entry to refine, the fingerprint of its card and the estimated expense."""

    key: AdapterKey
    fingerprint: str
    estimate: Expense


class RefineCatalogue:
    """The use case: has descriptions made and stores each as it arrives.

    Texts of the user are neither sent nor changed. `pace` is waited for before each request.
    """

    def __init__(
        self,
        store: Store,
        refiner: CostlyRefiner,
        attempts: FailedAttempts,
        changing: AbstractContextManager[object],
        pace: Callable[[Check], None],
    ) -> None:
        self.store = store
        self.refiner = refiner
        self.attempts = attempts
        self.changing = changing
        self.pace = pace

    def estimate(self, limits: RefineLimits) -> RefineReport:
        """What a job would do and cost, without a request."""
        return self._choose(limits)[0]

    def __call__(self, limits: RefineLimits, progress: Progress) -> RefineReport:
        progress.report(STEP, 0)
        report, targets = self._choose(limits)
        if limits.dollars is not None and report.estimate.cost is None:
            return replace(
                report,
                left=len(targets),
                stopped=(
                    "The price of this model is unknown, so a budget in dollars cannot be kept."
                    " Set chat.price_in and chat.price_out, or give a budget in tokens."
                ),
            )
        job = _RefineJob(self, limits, targets, progress)
        try:
            job.run()
        finally:
            if job.started:
                self.refiner.release()
        report = replace(
            report,
            refined=job.refined,
            failed=job.failed,
            left=len(targets) - job.refined - job.failed - job.skipped,
            spent=job.spent,
            reasons=dict(job.reasons),
            stopped=job.stopped,
        )
        logger.info(
            "%d refined, %d failed, %d left, %d tokens",
            report.refined,
            report.failed,
            report.left,
            report.spent.tokens,
        )
        return report

    def entry(self, key: AdapterKey) -> Entry | None:
        """The entry as it is now; None if it is gone or has a text of the user."""
        entry = self.store.read([key]).get(key)
        return None if entry is None or entry.edits.text is not None else entry

    def keep(self, results: Sequence[tuple[RefineTarget, Refined]]) -> None:
        """Stores descriptions; edits and cards that changed in the meantime stay."""
        with self.changing:
            entries = self.store.read([target.key for target, _ in results])
            self.store.write(
                [
                    replace(entries[target.key], description=refined.description)
                    for target, refined in results
                    if target.key in entries
                ]
            )
        for target, _ in results:
            self.attempts.succeeded(str(target.key))

    def _choose(self, limits: RefineLimits) -> tuple[RefineReport, list[RefineTarget]]:
        """The targets, entries with files first, and a report with the estimate."""
        counts: Counter[str] = Counter()
        with_files: list[RefineTarget] = []
        others: list[RefineTarget] = []
        for entry in self._entries(limits):
            fingerprint = self.refiner.fingerprint(entry.card)
            reason = self._skip_reason(entry, fingerprint, limits)
            if reason:
                counts[reason] += 1
                continue
            estimate = self.refiner.estimate(entry.card)
            (with_files if entry.files else others).append(
                RefineTarget(entry.key, fingerprint, estimate)
            )
        targets = [*with_files, *others][: limits.most]
        report = RefineReport(
            wanted=len(targets),
            left=len(targets),
            known=counts["known"],
            edited=counts["edited"],
            waiting=counts["waiting"],
            estimate=sum((target.estimate for target in targets), Expense()),
        )
        return report, targets

    def _entries(self, limits: RefineLimits) -> Iterator[Entry]:
        entries: Iterable[Entry | None] = (change.entry for change in self.store.changes(0))
        if limits.keys is not None:
            entries = self.store.read(limits.keys).values()
        for entry in entries:
            if entry is not None and (entry.files or not limits.on_disk):
                yield entry

    def _skip_reason(self, entry: Entry, fingerprint: str, limits: RefineLimits) -> str:
        description = entry.description
        if entry.edits.text is not None:
            return "edited"
        if limits.keys is not None:
            return ""
        if description.source == _PUBLISHED_SOURCE and not limits.again:
            return "known"
        same_kind = (
            description.source.partition(":")[0] == self.refiner.source.partition(":")[0]
            and description.fingerprint == fingerprint
        )
        if same_kind and (description.source == self.refiner.source or not limits.again):
            return "known"
        return "" if self.attempts.may_try(str(entry.key), fingerprint) else "waiting"


@dataclass(slots=True)
class _RefineJob:
    """One run over the targets; its counts are valid even if `run` raised."""

    catalogue: RefineCatalogue
    limits: RefineLimits
    targets: Sequence[RefineTarget]
    progress: Progress
    refined: int = 0
    failed: int = 0
    skipped: int = 0
    spent: Expense = Expense()
    reasons: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    started: bool = False
    _estimated: Expense = Expense()
    _submitted: int = 0
    _failures_in_a_row: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _given_up: threading.Event = field(default_factory=threading.Event)
    _slots: threading.Semaphore = field(init=False)
    _open: dict[Future[Refined | None], RefineTarget] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._slots = threading.Semaphore(self.limits.at_once)

    def run(self) -> None:
        preparing = self.limits.at_once - 1  # one at a time: none is read before the last is stored
        with ThreadPoolExecutor(
            self.limits.at_once + preparing, thread_name_prefix="stylus-refine"
        ) as pool:
            try:
                while self._submit(pool) or self._open:
                    if wait(self._open, _POLL_S, FIRST_COMPLETED).not_done:
                        self._stop.wait(_STORE_AFTER_S)
                    self._collect({future for future in self._open if future.done()})
                    done = self.refined + self.failed + self.skipped
                    self.progress.report(STEP, done, len(self.targets))
            finally:
                self._stop.set()
                for future in self._open:
                    future.cancel()
                self._collect(wait(self._open).done)

    def _submit(self, pool: ThreadPoolExecutor) -> bool:
        """Submits as many targets as the budget and the queue allow; False if there are no more."""
        while (
            not self.stopped
            and self._submitted < len(self.targets)
            and len(self._open) < _QUEUED_PER_WORKER * self.limits.at_once
        ):
            target = self.targets[self._submitted]
            pending = sum((waiting.estimate for waiting in self._open.values()), target.estimate)
            # a model that reasons takes more than was estimated
            if not self.limits.affords(self.spent + pending.dearer(self.spent, self._estimated)):
                if not self._open:  # else open requests may cost less than estimated
                    self.stopped = "The budget is used up."
                break
            self._submitted, self.started = self._submitted + 1, True
            self._open[pool.submit(self._refine, target)] = target
        return not self.stopped and self._submitted < len(self.targets)

    def _refine(self, target: RefineTarget) -> Refined | None:
        self._check()
        entry = self.catalogue.entry(target.key)
        if entry is None:
            return None
        return self.catalogue.refiner.describe(entry.card, self._check, self._slot)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """Held during a request; at most `limits.at_once` at a time."""
        while not self._slots.acquire(timeout=_POLL_S):
            self._check()
        try:
            if self._given_up.is_set():
                raise Cancelled("Refining was given up.")
            self.catalogue.pace(self._check)
            yield
        finally:
            self._slots.release()

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled("Refining was stopped.")

    def _collect(self, done: set[Future[Refined | None]]) -> None:
        results: list[tuple[RefineTarget, Refined]] = []
        for future in done:
            target = self._open.pop(future)
            if future.cancelled():
                continue
            try:
                refined = future.result()
            except Cancelled:
                continue
            except NotRefined as error:
                self.failed += 1
                self.spent += error.spent
                self._estimated += target.estimate
                self.catalogue.attempts.failed(str(target.key), target.fingerprint)
                self._count_failure(str(error))
            except Unavailable as error:  # not the card's fault: the next job tries it again
                self.skipped += 1
                self._count_failure(str(error))
            else:
                self._failures_in_a_row = 0
                if refined is None:
                    self.skipped += 1
                else:
                    results.append((target, refined))
        if results:
            self.catalogue.keep(results)
            self.refined += len(results)
            self.spent = sum((refined.spent for _, refined in results), self.spent)
            self._estimated = sum((target.estimate for target, _ in results), self._estimated)

    def _count_failure(self, reason: str) -> None:
        self.reasons[reason] += 1
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= _MAX_FAILURES_IN_A_ROW and not self.stopped:
            self._given_up.set()  # for queued targets; requests that were sent may be answered
            self.stopped = f"{self._failures_in_a_row} requests in a row failed, the last: {reason}"
