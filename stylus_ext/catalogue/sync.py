"""Crawls a network catalogue page by page: resumable, incremental, embedded as it arrives."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar

from stylus_ext.catalogue.refresh import Ingest
from stylus_ext.core.errors import Cancelled, Note, Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.core.sources import CataloguePage, Check, CursorLost, RemoteCatalogue, Wanted

logger = logging.getLogger(__name__)


_MOST_EMPTY = 25
"""Pages with nothing on them in a row; a service that sifts a page after it has cut it sends some
on the way. More of them are an answer without an end.
"""


class EndlessListing(Unavailable):
    """Pages that lead to themselves, or to nothing."""

    code = "trouble"


@dataclass(frozen=True, slots=True)
class CrawlState:
    """Progress of a crawl; versions older than `until` are known from an earlier one."""

    cursor: str | None = None
    models: int = 0
    kept: int = 0
    written: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    newest: str = ""
    until: str = ""
    ended: bool = False
    empty: int = 0
    in_order: bool = True

    def after(self, page: CataloguePage, written: int, wanted: Wanted) -> CrawlState:
        """State after one more page; the end is no next page, the limit, or known entries.

        Raises if the next page leads nowhere; then this state is where the next crawl goes on.
        """
        models, empty = self.models + page.models, 0 if page.models else self.empty + 1
        known = bool(self.until and page.models and page.in_order) and page.newest <= self.until
        ended = page.cursor is None or known or bool(wanted.top and models >= wanted.top)
        if not ended and (page.cursor == self.cursor or empty > _MOST_EMPTY):
            raise EndlessListing(
                "The service names no further pages, but does not say that this was the last."
                " Try again later; the reading goes on from here."
            )
        return replace(
            self,
            cursor=page.cursor,
            models=models,
            kept=self.kept + len(page.cards),
            written=self.written + written,
            skipped=dict(Counter(self.skipped) + Counter(page.skipped)),
            newest=max(self.newest, page.newest),
            ended=ended,
            empty=empty,
            in_order=page.in_order,
        )

    def again(self, wanted: Wanted) -> CrawlState:
        """State of the next crawl: newer versions if sorted by date, else everything."""
        since = max(self.newest, self.until)
        return (
            CrawlState()
            if wanted.top or not self.in_order
            else CrawlState(until=since, newest=since)
        )

    def afresh(self) -> CrawlState:
        """Start over after a lost cursor; what was read stays known."""
        return CrawlState(until=self.until, newest=self.until)

    def left(self, wanted: Wanted) -> int | None:
        return max(0, wanted.top - self.models) if wanted.top else None

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> CrawlState | None:
        """Parse a stored state; None starts the crawl over."""
        try:
            stored: Any = json.loads(text)
            state = cls(**stored)
            counts = [state.models, state.kept, state.written, *state.skipped.values()]
        except (ValueError, TypeError, AttributeError):
            return None
        fits = all(isinstance(count, int) for count in counts) and all(
            isinstance(text, str) for text in (state.cursor or "", state.newest, state.until)
        )
        return state if fits else None


_TICK_S = 0.1
_T = TypeVar("_T")


class Prefetch(Generic[_T]):
    """Prefetches in one thread; `tick` runs in the waiting caller's thread and may raise."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="stylus-ahead")
        self._stop = threading.Event()
        self._next: Future[_T] | None = None

    def begin(self, work: Callable[[Check], _T]) -> None:
        self._next = self._pool.submit(work, self._check)

    def result(self, tick: Callable[[], None]) -> _T:
        if self._next is None:
            raise Cancelled("Nothing was requested.")
        while not wait([self._next], _TICK_S).done:
            tick()
        return self._next.result()

    def __enter__(self) -> Prefetch[_T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled("The reading was stopped.")


@dataclass(frozen=True, slots=True)
class Synced:
    """Totals of a crawl, including parts before an interruption; `unchanged` were known as they
    are.
    """

    models: int = 0
    kept: int = 0
    written: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    vectors: int = 0
    resumed: bool = False
    incremental: bool = False
    notes: tuple[Note, ...] = ()

    @property
    def unchanged(self) -> int:
        return self.kept - self.written


class SyncCatalogue:
    """Runs a crawl; progress is stored after each page's cards, so that a kill costs one page."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    def __call__(
        self,
        catalogue: RemoteCatalogue,
        wanted: Wanted,
        progress: Progress,
        *,
        afresh: bool = False,
    ) -> Synced:
        self._ingest.finish_interrupted()
        step = f"reading {catalogue.name}"
        progress.report(step, 0, wanted.top or None)
        wanted = catalogue.checked(wanted, lambda: progress.report(step, 0, wanted.top or None))
        name = f"crawl.{catalogue.name}.{wanted.fingerprint}"
        before = None if afresh else CrawlState.of_text(self._ingest.memory.remembered(name))
        state = CrawlState() if before is None else before.again(wanted) if before.ended else before
        crawl = _Crawl(self._ingest, catalogue, wanted, name, progress, state)
        resumed = before is not None and not before.ended
        try:
            state = crawl.run(state)
            notes: tuple[Note, ...] = ()
        except CursorLost:
            state = crawl.run(state.afresh())
            notes = (
                Note(
                    "crawl_restarted",
                    f"{catalogue.name} had forgotten the place where the last reading stopped, so"
                    " it began anew.",
                ),
            )
        with self._ingest.changing:
            made = crawl.vectors + self._ingest.embed(progress)
        done = Synced(
            state.models,
            state.kept,
            state.written,
            state.skipped,
            made,
            resumed,
            bool(state.until),
            notes,
        )
        logger.info(
            "%s: %d models, %d kept, %d written, skipped %s",
            catalogue.name,
            done.models,
            done.kept,
            done.written,
            dict(done.skipped),
        )
        return done


@dataclass
class _Crawl:
    """One run from the state `began`; its progress counts this run alone."""

    ingest: Ingest
    catalogue: RemoteCatalogue
    wanted: Wanted
    name: str
    progress: Progress
    began: CrawlState
    vectors: int = 0
    cursors: set[str | None] = field(default_factory=set)
    """Places of this run, to notice pages that lead back."""

    def run(self, state: CrawlState) -> CrawlState:
        with Prefetch[CataloguePage]() as ahead:
            self._fetch(ahead, state)
            while True:
                page = ahead.result(partial(self._report, state))
                after = state.after(page, 0, self.wanted)
                self.cursors.add(state.cursor)
                if not after.ended and after.cursor in self.cursors:
                    raise EndlessListing(
                        f"{self.catalogue.name} leads back to pages that were read already. Try"
                        " again later; the reading goes on from here."
                    )
                if not after.ended:
                    self._fetch(ahead, after)
                written = self._take(page)
                state = replace(after, written=state.written + written)
                self.ingest.memory.remember(self.name, state.to_text())
                self._report(state)
                if state.ended:
                    return state

    def _fetch(self, ahead: Prefetch[CataloguePage], state: CrawlState) -> None:
        ahead.begin(
            lambda check: self.catalogue.page(
                self.wanted, state.cursor, state.left(self.wanted), check
            )
        )

    def _take(self, page: CataloguePage) -> int:
        """Import and embed new or changed cards; returns their number."""
        with self.ingest.changing:
            homes = set(self.ingest.store.resolve(card.key for card in page.cards).values())
            stated = self.ingest.store.stated(homes).values()
            known = {card for cards in stated for card in cards}
            fresh = [card for card in page.cards if card not in known]
            if fresh:
                self.vectors += self.ingest.take(fresh)
            if page.banned and self.ingest.withdraw(page.banned):
                logger.info("%s: entries were withdrawn", self.catalogue.name)
        return len(fresh)

    def _report(self, state: CrawlState) -> None:
        done, total = max(0, state.models - self.began.models), self.began.left(self.wanted)
        step = f"reading {self.catalogue.name}"
        self.progress.report(step, done if total is None else min(done, total), total)
