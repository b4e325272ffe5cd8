"""Download the files that a plan lacks, several at once; one failure stops no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.errors import Cancelled, StylusError
from stylus_ext.core.fetching import Failed, Fetched, called
from stylus_ext.core.ports import Downloader, Progress

logger = logging.getLogger(__name__)


_TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class FetchReport:
    """Downloaded and failed files, in the order of the request."""

    fetched: tuple[Fetched, ...] = ()
    failed: tuple[Failed, ...] = ()


@dataclass(slots=True)
class _FetchTask:
    """Progress of one file, shared by two threads."""

    name: str
    stop: threading.Event
    step: str = ""
    done: int = 0
    total: int = 0

    def report(self, step: str, done: int, total: int | None = None) -> None:
        if self.stop.is_set():
            raise Cancelled("Stopped. Partial downloads are kept and will resume.")
        self.step, self.done, self.total = step, done, max(total or 0, done)


@dataclass(frozen=True, slots=True)
class FetchMissing:
    """Downloads up to `at_once` files at a time."""

    downloader: Downloader
    at_once: int = 2

    def __call__(self, cards: Iterable[AdapterCard], progress: Progress) -> FetchReport:
        """Download all cards; progress counts bytes, and finished files survive a stop."""
        wanted = list({card.key: card for card in cards}.values())
        if not wanted:
            return FetchReport()
        stop = threading.Event()
        tasks = {card.key: _FetchTask(card.name, stop) for card in wanted}
        pool = ThreadPoolExecutor(
            max_workers=max(1, min(self.at_once, len(wanted))), thread_name_prefix="stylus-fetch"
        )
        try:
            running = {card.key: pool.submit(self._fetch, card, tasks[card.key]) for card in wanted}
            self._follow(running.values(), list(tasks.values()), progress)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
        return _report(wanted, running)

    def _fetch(self, card: AdapterCard, task: _FetchTask) -> Fetched | Failed:
        try:
            return self.downloader.fetch(card, task)
        except Cancelled:
            raise
        except StylusError as error:
            logger.info("not fetched: %s: %s", card.key, error)  # the report says it
            code = str(getattr(error, "code", "failed"))
            return Failed(card.key, card.name, code, _named(card, str(error)))
        except Exception:
            logger.exception("not foreseen while fetching %s", card.key)
            return Failed(
                card.key,
                card.name,
                "unexpected",
                f"{called(card)} was not fetched because of an error in Stylus; the log has it.",
            )

    @staticmethod
    def _follow(
        running: Iterable[Future[Fetched | Failed]],
        tasks: Sequence[_FetchTask],
        progress: Progress,
    ) -> None:
        waiting = set(running)
        while waiting:
            _, waiting = wait(waiting, timeout=_TICK_S)
            active = [task for task in tasks if task.step]
            step = active[-1].step if len(tasks) == 1 and active else f"Fetching {len(tasks)} LoRAs"
            done, total = (
                sum(task.done for task in tasks),
                sum(task.total for task in tasks),
            )
            progress.report(step, done, total or None)


def _named(card: AdapterCard, message: str) -> str:
    """A message that says which adapter it is about."""
    return message if card.name in message else f"{called(card)} was not fetched: {message}"


def _report(
    wanted: Sequence[AdapterCard], running: dict[AdapterKey, Future[Fetched | Failed]]
) -> FetchReport:
    ended = [running[card.key].result() for card in wanted]
    return FetchReport(
        tuple(result for result in ended if isinstance(result, Fetched)),
        tuple(result for result in ended if isinstance(result, Failed)),
    )
