"""What was made is written while the next is made: pieces of work go in one by one and are done in
that order, by one thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class WriteBehind:
    """At most one piece waits. An error is raised by the next `give`, or by `finish`; what was
    given before a stop is still done.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="stylus-behind")
        self._last: Future[None] | None = None

    def give(self, work: Callable[[], None]) -> None:
        self.finish()
        self._last = self._pool.submit(work)

    def finish(self) -> None:
        """Waits for what was given last."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.ExitStack() as leaving:
            leaving.callback(self._pool.shutdown)
            if kind is None:
                self.finish()
