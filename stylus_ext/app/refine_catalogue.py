"""Have a refiner that costs something describe the catalogue: many cards at once, within a budget,
resumed after any end.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from stylus_ext.app.attempts import Attempts
from stylus_ext.app.refine_job import STEP, RefineJob, Wanted
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry
from stylus_ext.core.ports import Progress, Store
from stylus_ext.core.refining import (
    Check,
    CostlyRefiner,
    Expense,
    Refined,
    RefineLimits,
    RefineReport,
    Turn,
)

logger = logging.getLogger(__name__)

_PUBLISHED = "stylusdocs"  # described by a model that had seen pictures, too


class RefineCatalogue:
    """The use case. Only descriptions that came are stored, as they come; a text of the user's is
    never asked for, nor touched.
    """

    def __init__(
        self,
        store: Store,
        refiner: CostlyRefiner,
        attempts: Attempts,
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

    def keep(self, made: Sequence[tuple[Wanted, Refined]]) -> None:
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

    def gave_up(self, one: Wanted) -> None:
        self._attempts.failed(str(one.key), one.print)

    def _chosen(self, limits: RefineLimits) -> tuple[RefineReport, list[Wanted]]:
        """What is to be refined, the user's own files first; and what all of it will cost,
        about.
        """
        counts: Counter[str] = Counter()
        own: list[Wanted] = []
        others: list[Wanted] = []
        for entry in self._entries(limits):
            one = Wanted(entry.key, self._refiner.fingerprint(entry.card), Expense())
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
