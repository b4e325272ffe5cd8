"""Supervises the engine: starts it on first need, restarts it, stops it with the WebUI."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylus_ext import __version__
from stylus_ext.core.errors import EngineGone, SetupProblem
from stylus_ext.environment import engine_address
from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.host.engine import setup_state
from stylus_ext.host.engine.child import READY_WORDS, EngineChild
from stylus_ext.host.engine.inventory import HostInventory
from stylus_ext.host.engine.setup_state import Board, EngineReport, EngineState, Setup

FIRST_PAUSE_S, LONGEST_PAUSE_S, SETTLED_S = 0.5, 30.0, 60.0
_START_S, _END_S = 120.0, 10.0
_LOOK_S = 1.0
_AGAIN = "stopped unexpectedly"


@dataclass(frozen=True, slots=True)
class Orders:
    """Command, folder and flags of the engine; flags are read at each start."""

    data_dir: Path
    settings: Callable[[], list[str]]
    setup: Setup
    idle_minutes: float


class Supervisor:
    """Runs in its own thread until a stop, an idle exit or a version mismatch."""

    def __init__(self, orders: Orders, board: Board) -> None:
        self._orders = orders
        self._board = board
        self._stopping = threading.Event()
        self._up = threading.Event()
        self._guard = threading.Lock()
        self._child: EngineChild | None = None
        self.looked = False
        """Whether it is known that no engine runs on the folder; before, a missing environment is
        no obstacle.
        """

    def run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            if not self._orders.setup.ready and engine_address.read(self._orders.data_dir) is None:
                self.looked = True
                self._stopping.wait(_LOOK_S)
                continue
            began = time.monotonic()
            if not self._live():
                break
            pause = FIRST_PAUSE_S if time.monotonic() - began >= SETTLED_S else pause
            self._stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Stop our child; an engine of another program keeps running."""
        with self._guard:
            self._stopping.set()
            child = self._child
        self._board.look.set()
        if child is not None:
            child.end()

    def _live(self) -> bool:
        """Run one engine; returns whether to start another."""
        record = engine_address.read(self._orders.data_dir)
        if record is not None and record.version != __version__:
            self._board.publish(setup_state.mismatched(record.version, __version__))
            return False
        if record is not None:
            return self._attend(record)
        try:
            self._orders.data_dir.mkdir(parents=True, exist_ok=True)
            with self._guard:  # a stop that comes now finds either no child yet, or this one
                if self._stopping.is_set():
                    return False
                self._up.clear()
                self._child = child = EngineChild(
                    self._command(), self._variables(), self._orders.data_dir, self._hear
                )
        except (SetupProblem, OSError, ValueError) as problem:
            return self._fail(f"The engine cannot be started: {problem}")
        try:
            return self._watch(child)
        finally:
            self._child = None

    def _attend(self, record: engine_address.EngineRecord) -> bool:
        """Watch an engine of another program; on a regular exit it removes its address."""
        self._board.ready(record.url, record.token, record.pid, record.version)
        look = self._board.look
        while not self._stopping.is_set() and engine_address.process_lives(record.pid):
            if look.wait(_LOOK_S):
                look.clear()
                if engine_address.read(self._orders.data_dir) is None:
                    break
        if self._stopping.is_set() or not (self._orders.data_dir / engine_address.FILE).exists():
            return False
        self._board.publish(setup_state.starting(why=_AGAIN))
        return True

    def _watch(self, child: EngineChild) -> bool:
        with self._board.changed:
            if self._board.link is None and self._board.now.state is not EngineState.STARTING:
                self._board.publish(setup_state.starting(child.pid))
        in_time = self._up.wait(_START_S)
        if not in_time or (self._board.link is None and not child.ends_within(_END_S)):
            child.end()
            return self._fail(f"The engine did not answer within {_START_S:g} s.")
        code = child.wait()
        state = self._board.now.state
        if self._stopping.is_set() or state is EngineState.FAILED:
            return False
        # It was idle, or was stopped on purpose; or another engine was quicker, which we look for.
        if code == 0:
            return state is not EngineState.READY
        if state is EngineState.READY:
            self._board.publish(setup_state.starting(why=_AGAIN))
            return True
        return self._fail(
            f"The engine ended while it started: {child.last_words() or f'exit code {code}'}"
        )

    def _fail(self, sentence: str) -> bool:
        self._board.failed(
            f"{sentence} Stylus tries again by itself; details are in {self._orders.data_dir}."
        )
        return True

    def _hear(self, line: str) -> None:
        """The first line means ready; an empty one means the engine ended."""
        record = (
            engine_address.read(self._orders.data_dir) if line.startswith(READY_WORDS) else None
        )
        if record is not None and record.version == __version__:
            self._board.ready(record.url, record.token, record.pid, record.version)
        elif record is not None:
            self._board.publish(setup_state.mismatched(record.version, __version__))
            if self._child is not None:
                self._child.ask_to_end()
        if record is not None or not line:
            self._up.set()

    def _command(self) -> list[str]:
        orders = self._orders
        words = [
            "serve",
            "--bound",
            "--idle-minutes",
            f"{orders.idle_minutes:g}",
            "--data-dir",
            str(orders.data_dir),
        ]
        return orders.setup.command([*words, *orders.settings()])

    def _variables(self) -> dict[str, str]:
        return self._orders.setup.variables() | {
            engine_address.TOKEN_VARIABLE: secrets.token_urlsafe(32)
        }


IDLE_MINUTES = 15.0
_DOUBT_S = 0.5
_SLICE_S = 0.05
_HOPELESS = 3

_guard = threading.Lock()
_current: dict[str, EngineProcess] = {}


class EngineProcess:
    """The engine of one WebUI and data folder; thread-safe."""

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
        self._keeper: Supervisor | None = None
        self._thread: threading.Thread | None = None
        self._before: EngineProcess | None = None
        self.inventory: HostInventory | None = None
        """What is listed here, for a shared engine, which does not see this machine's disk."""
        if url:
            self._connect(url, token)

    @property
    def epoch(self) -> int:
        """Counts ready engines; pass the epoch of a broken link to `wait_ready`."""
        return self._board.epoch

    def report(self) -> EngineReport:
        """The current report, without waiting."""
        now = self._board.now
        if self.remote or now.state in (EngineState.READY, EngineState.STARTING):
            return now
        keeper = self._keeper
        if keeper is not None and not keeper.looked and not self._setup.ready:
            return setup_state.starting()
        return self._setup.report() or now

    def set_up(self) -> None:
        """Start or resume building the environment."""
        if not self.remote:
            self._setup.begin()

    def start(self) -> None:
        """Start in the background, after the set-up if needed; returns at once."""
        if self.remote:
            return
        with self._board.changed:
            if self._thread is not None:
                return
            self._board.failures = 0
            self._keeper = Supervisor(self._orders, self._board)
            self._thread = threading.Thread(
                target=self._keep, args=(self._keeper,), name="stylus-engine", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop the engine that we started; a shared one keeps running."""
        with self._board.changed:
            thread, keeper = self._thread, self._keeper
        if keeper is not None:
            keeper.stop()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def wait_ready(
        self, timeout_s: float, interrupted: Callable[[], bool], after: int = -1
    ) -> bool:
        """Start if needed and wait; False on timeout, interrupt, or if waiting is pointless.

        `after` is the epoch of a broken link: that engine may still prove alive, else the next is
        awaited.
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
        """The link to the ready engine; raises EngineGone if there is none."""
        link = self._board.link
        if link is None:
            raise EngineGone(self.report().sentence)
        return link

    def follows(self, before: EngineProcess) -> None:
        """Wait until the engine with the old settings has released the data folder."""
        self._before = before

    def _keep(self, keeper: Supervisor) -> None:
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
                self._board.publish(now if lasting else setup_state.stopped())

    def _needs_a_button(self) -> bool:
        """True if the user must confirm the set-up's download."""
        if self._setup.ready or (self.data_dir / engine_address.FILE).exists():
            return False
        return self.report().state in (EngineState.NOT_SET_UP, EngineState.FAILED)

    def _connect(self, url: str, token: str) -> None:
        try:
            self._board.publish(setup_state.remote(url), EngineLink(url, token, forwarded=True))
        except (EngineGone, ValueError) as problem:
            self._board.publish(setup_state.failed(str(problem)))


def current(
    data_dir: Path, *, url: str = "", token: str = "", settings: Callable[[], list[str]] = list
) -> EngineProcess:
    """The engine of this WebUI, kept over UI reloads; changed settings replace it."""
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
