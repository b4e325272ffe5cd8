"""The next page is fetched while this one is worked on: places go in one by one, pages come out,
and a stop ends the waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, TypeVar

from stylus_ext.core.errors import Cancelled
from stylus_ext.core.sources import Check

_TICK_S = 0.1
_T = TypeVar("_T")


class ReadAhead(Generic[_T]):
    """One thread that fetches; `tick` is called in the caller's while it waits, and may raise."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="stylus-ahead")
        self._stop = threading.Event()
        self._next: Future[_T] | None = None

    def begin(self, work: Callable[[Check], _T]) -> None:
        self._next = self._pool.submit(work, self._check)

    def result(self, tick: Callable[[], None]) -> _T:
        if self._next is None:
            raise Cancelled("Nothing was asked for.")
        while not wait([self._next], _TICK_S).done:
            tick()
        return self._next.result()

    def __enter__(self) -> ReadAhead[_T]:
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
