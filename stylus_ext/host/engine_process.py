"""The engine beside the WebUI: started on first need, watched, started again when it dies, ended
with the WebUI.

In: the data folder, or the address of a shared engine. Out: a report that is always at hand, and a
link once it answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from stylus_ext.environment import rendezvous
from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.environment.problems import EngineGone
from stylus_ext.host import engine_report
from stylus_ext.host.engine_board import Board
from stylus_ext.host.engine_keeper import Keeper, Orders
from stylus_ext.host.engine_report import EngineReport, EngineState
from stylus_ext.host.engine_setup import Setup
from stylus_ext.host.inventory import Shelf

__all__ = ["EngineProcess", "EngineReport", "EngineState", "current"]

IDLE_MINUTES = 15.0
_DOUBT_S = 0.5
_SLICE_S = 0.05
_HOPELESS = 3

_guard = threading.Lock()
_current: dict[str, EngineProcess] = {}


class EngineProcess:
    """One per WebUI and data folder; every method may be called from any thread."""

    def __init__(
        self,
        data_dir: Path,
        *,
        url: str = "",
        token: str = "",
        settings: Callable[[], list[str]] = list,
        setup: Setup | None = None,
        idle_minutes: float = IDLE_MINUTES,
    ) -> None:
        self.data_dir = data_dir
        self.remote = bool(url)
        self.identity = _identity(data_dir, url, token, settings)
        self._setup = setup or Setup()
        self._orders = Orders(data_dir, settings, self._setup, idle_minutes)
        self._board = Board()
        self._keeper: Keeper | None = None
        self._thread: threading.Thread | None = None
        self._before: EngineProcess | None = None
        self.shelf: Shelf | None = None
        """What is listed here, for a shared engine, which does not see this machine's disk."""
        if url:
            self._connect(url, token)

    @property
    def epoch(self) -> int:
        """Counts the engines that became ready; the one of a link that broke goes to
        `wait_ready`.
        """
        return self._board.epoch

    def report(self) -> EngineReport:
        """Cheap, and waits for nobody."""
        now = self._board.now
        if self.remote or now.state in (EngineState.READY, EngineState.STARTING):
            return now
        keeper = self._keeper
        if keeper is not None and not keeper.looked and not self._setup.ready:
            return engine_report.starting()
        return self._setup.report() or now

    def set_up(self) -> None:
        """Begins to build what is missing, or takes it up again."""
        if not self.remote:
            self._setup.begin()

    def start(self) -> None:
        """Returns at once; before the engine is set up it waits for that, in the background."""
        if self.remote:
            return
        with self._board.changed:
            if self._thread is not None:
                return
            self._board.failures = 0
            self._keeper = Keeper(self._orders, self._board)
            self._thread = threading.Thread(
                target=self._keep, args=(self._keeper,), name="stylus-engine", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Ends the engine that we started; one that was there already, or is shared, goes on."""
        with self._board.changed:
            thread, keeper = self._thread, self._keeper
        if keeper is not None:
            keeper.stop()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def wait_ready(
        self, timeout_s: float, interrupted: Callable[[], bool], after: int = -1
    ) -> bool:
        """Starts it if need be; False when the time is over, the user interrupts, or waiting longer
        would be of no use.

        `after` is the epoch of a link that broke: that engine gets a moment to show that it lives,
        else the next is waited for.
        """
        until = time.monotonic() + timeout_s
        doubt_until = time.monotonic() + min(_DOUBT_S, timeout_s)
        board = self._board
        if after >= 0:
            board.look.set()
        while not self.remote:
            with board.changed:
                state, idle = board.now.state, self._thread is None
                if state is EngineState.READY and (
                    board.epoch > after or time.monotonic() >= doubt_until
                ):
                    return True
            hopeless = board.failures >= _HOPELESS or (idle and state is EngineState.FAILED)
            if interrupted() or time.monotonic() >= until or hopeless or self._needs_a_button():
                return False
            if idle:
                self.start()
            with board.changed:
                board.changed.wait(_SLICE_S)
        return board.link is not None

    def link(self) -> EngineLink:
        """To the engine that answers now; raises EngineGone with the report's sentence when none
        does.
        """
        link = self._board.link
        if link is None:
            raise EngineGone(self.report().sentence)
        return link

    def follows(self, before: EngineProcess) -> None:
        """The engine of other settings gives up the data folder first."""
        self._before = before

    def _keep(self, keeper: Keeper) -> None:
        before, self._before = self._before, None
        try:
            if before is not None:
                before.stop()
            keeper.run()
        finally:
            with self._board.changed:
                self._thread = self._keeper = None
                now = self._board.now
                lasting = now.state is EngineState.FAILED and not keeper.stopped
                self._board.publish(now if lasting else engine_report.stopped())

    def _needs_a_button(self) -> bool:
        """Somebody has to say that the environment may be fetched."""
        if self._setup.ready or (self.data_dir / rendezvous.FILE).exists():
            return False
        return self.report().state in (EngineState.NOT_SET_UP, EngineState.FAILED)

    def _connect(self, url: str, token: str) -> None:
        try:
            self._board.publish(engine_report.remote(url), EngineLink(url, token))
        except (EngineGone, ValueError) as problem:
            self._board.publish(engine_report.failed(str(problem)))


def current(
    data_dir: Path, *, url: str = "", token: str = "", settings: Callable[[], list[str]] = list
) -> EngineProcess:
    """The one of this WebUI, also after its UI was reloaded; changed settings make another, which
    takes over what ran.
    """
    identity = _identity(data_dir, url, token, settings)
    with _guard:
        old = _current.get("engine")
        if old is not None and old.identity == identity:
            return old
        _current["engine"] = fresh = EngineProcess(
            data_dir, url=url, token=token, settings=settings
        )
    if old is not None:
        _take_over(old, fresh)
    return fresh


def _take_over(old: EngineProcess, fresh: EngineProcess) -> None:
    ran = old.report().state in (EngineState.READY, EngineState.STARTING)
    if fresh.remote or not ran:
        threading.Thread(target=old.stop, name="stylus-engine-end", daemon=True).start()
        return
    fresh.follows(old)
    fresh.start()


def _identity(
    data_dir: Path, url: str, token: str, settings: Callable[[], list[str]]
) -> tuple[object, ...]:
    return str(data_dir), url, token, tuple(settings())
