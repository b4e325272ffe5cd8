"""When an engine ends by itself: its starter has gone, or nobody has asked it for anything for a
long time.
"""

from __future__ import annotations

import _thread
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
_GRACE_S = 20.0


class Life:
    """With `wait_for_starter`, which returns when the starter has gone, it ends with that one;
    `idle_s` of 0 never tires. `reason` says why it ended.
    """

    def __init__(
        self, wait_for_starter: Callable[[], None] | None = None, idle_s: float = 0.0
    ) -> None:
        self.bound = wait_for_starter is not None
        self.idle_s = idle_s
        self.reason = ""
        self._used = time.monotonic()
        self._parent = os.getppid()
        self._wait_for_starter = wait_for_starter
        self._end: Callable[[], None] = _interrupt
        self._busy: Callable[[], bool] = _loading

    def begin(self) -> None:
        """From the first moment on: a starter that dies while we load leaves nobody behind."""
        if self._wait_for_starter is not None:
            threading.Thread(
                target=self._listen,
                args=(self._wait_for_starter,),
                name="stylus-starter",
                daemon=True,
            ).start()
        if self.bound or self.idle_s:
            threading.Thread(target=self._look, name="stylus-life", daemon=True).start()

    def serve(self, end: Callable[[], None], busy: Callable[[], bool]) -> None:
        """From now on there is a server that `end` asks to close; while `busy` it is not idle."""
        self._end, self._busy = end, busy
        self.used()
        if self.reason:
            end()

    def used(self) -> None:
        self._used = time.monotonic()

    def ended(self, reason: str) -> None:
        """The first reason counts."""
        self.reason = self.reason or reason

    def _finish(self, reason: str) -> None:
        if self.reason:
            return
        self.ended(reason)
        logger.info("the engine is to end: %s", reason)
        self._end()

    def _listen(self, wait: Callable[[], None]) -> None:
        try:
            wait()
        except OSError as error:
            logger.info("standard input cannot be read (%s)", error)
        self._finish("its starter has gone")
        time.sleep(_GRACE_S)
        os._exit(
            1
        )  # in the middle of something that cannot be interrupted: nobody waits for it any more

    def _look(self) -> None:
        while not self.reason:
            time.sleep(_LOOK_S)
            if self._busy():
                self.used()
            # A sibling may have inherited the pipe, so its end alone is not trusted; Windows gives
            # nobody another parent.
            if self.bound and sys.platform != "win32" and os.getppid() != self._parent:
                self._finish("its starter has gone")
            elif self.idle_s and time.monotonic() - self._used > self.idle_s:
                self._finish("it was idle")


def _loading() -> bool:
    """Until there is a server nobody can ask for anything, so that is no idleness."""
    return True


def _interrupt() -> None:
    """As a signal from outside would; not SIGINT, which a program in the background may have been
    told to ignore.
    """
    _thread.interrupt_main(signal.SIGTERM)
