"""The engine beside the WebUI: started on first need, watched, started again when it dies, ended with the WebUI.

In: the data folder, or the address of a shared engine. Out: a report that is always at hand, and a link once it answers.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from stylus_ext import __version__
from stylus_ext.environment import rendezvous
from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.environment.problems import EngineGone, SetupProblem
from stylus_ext.host import engine_report
from stylus_ext.host.engine_child import READY_WORDS, EngineChild
from stylus_ext.host.engine_report import EngineReport, EngineState
from stylus_ext.host.engine_setup import Setup

__all__ = ["EngineProcess", "EngineReport", "EngineState", "current"]

logger = logging.getLogger(__name__)

IDLE_MINUTES = 15.0
FIRST_PAUSE_S, LONGEST_PAUSE_S, SETTLED_S = 0.5, 30.0, 60.0
_START_S, _END_S = 120.0, 10.0
_LOOK_S = 1.0
_SLICE_S = 0.05
_HOPELESS = 3

_guard = threading.Lock()
_current: dict[str, EngineProcess] = {}


class EngineProcess:
    """One per WebUI and data folder; every method may be called from any thread, and none raises."""

    def __init__(
        self, data_dir: Path, *, url: str = "", token: str = "", settings: Callable[[], list[str]] = list,
        setup: Setup | None = None, idle_minutes: float = IDLE_MINUTES,
    ) -> None:
        self.data_dir = data_dir
        self.remote = bool(url)
        self.identity = (str(data_dir), url, token, tuple(settings()))
        self.epoch = 0
        self._settings = settings
        self._setup = setup or Setup()
        self._idle_minutes = idle_minutes
        self._changed = threading.Condition()
        self._now = engine_report.stopped()
        self._link: EngineLink | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._look = threading.Event()
        self._up = threading.Event()
        self._child: EngineChild | None = None
        self._failures = 0
        self._before: EngineProcess | None = None
        if url:
            self._connect(url, token)

    def report(self) -> EngineReport:
        now = self._now
        if self.remote or now.state in (EngineState.READY, EngineState.STARTING):
            return now
        return self._setup.report() or now

    def set_up(self) -> None:
        if not self.remote:
            self._setup.begin()

    def start(self) -> None:
        """Returns at once; before the engine is set up it waits for that, in the background."""
        if self.remote:
            return
        with self._changed:
            if self._thread is not None:
                return
            self._stopping = threading.Event()
            self._failures = 0
            self._thread = threading.Thread(target=self._supervise, args=(self._stopping,), name="stylus-engine", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the engine that we started; one that was there already, or is shared, goes on."""
        with self._changed:
            thread, child = self._thread, self._child
            self._stopping.set()
            self._look.set()
        if child is not None:
            child.end()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def wait_ready(self, timeout_s: float, interrupted: Callable[[], bool], after: int = -1) -> bool:
        """Starts it if need be; False when the time is over, the user interrupts, or waiting longer would be of no use.

        `after` is the epoch of a link that broke: that engine gets a moment to show that it lives, else the next is waited for.
        """
        until = time.monotonic() + timeout_s
        doubt_until = time.monotonic() + min(_LOOK_S / 2, timeout_s)
        if after >= 0:
            self._look.set()
        while not self.remote:
            with self._changed:
                state = self._now.state
                if state is EngineState.READY and (self.epoch > after or time.monotonic() >= doubt_until):
                    return True
                idle, hopeless = self._thread is None, self._failures >= _HOPELESS
            if interrupted() or time.monotonic() >= until or hopeless or (idle and state is EngineState.FAILED):
                return False
            if self._needs_a_button():
                return False
            if idle:
                self.start()
            with self._changed:
                self._changed.wait(_SLICE_S)
        return self._link is not None

    def link(self) -> EngineLink:
        """To the engine that answers now."""
        link = self._link
        if link is None:
            raise EngineGone(self.report().sentence)
        return link

    def follows(self, before: EngineProcess) -> None:
        """The engine of other settings gives up the data folder first."""
        self._before = before

    def _needs_a_button(self) -> bool:
        if self._setup.ready or (self.data_dir / rendezvous.FILE).exists():
            return False
        return self.report().state in (EngineState.NOT_SET_UP, EngineState.FAILED)

    def _connect(self, url: str, token: str) -> None:
        try:
            self._link = EngineLink(url, token)
            self._now = engine_report.remote(url)
        except (EngineGone, ValueError) as problem:
            self._now = engine_report.failed(str(problem))

    def _publish(self, now: EngineReport, link: EngineLink | None = None) -> None:
        with self._changed:
            self._now, self._link = now, link
            if link is not None:
                self.epoch += 1
                self._failures = 0
            self._changed.notify_all()
        logger.info("engine: %s", now.sentence)

    def _supervise(self, stopping: threading.Event) -> None:
        before, self._before = self._before, None
        if before is not None:
            before.stop()
        try:
            self._keep_alive(stopping)
        finally:
            with self._changed:
                self._thread = None
                lasting = self._now.state is EngineState.FAILED and not stopping.is_set()
                self._publish(self._now if lasting else engine_report.stopped())

    def _keep_alive(self, stopping: threading.Event) -> None:
        pause = FIRST_PAUSE_S
        while not stopping.is_set():
            if not self._setup.ready and rendezvous.read(self.data_dir) is None:
                stopping.wait(_LOOK_S)
                continue
            began = time.monotonic()
            if not self._live(stopping):
                return
            pause = FIRST_PAUSE_S if time.monotonic() - began >= SETTLED_S else pause
            stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _live(self, stopping: threading.Event) -> bool:
        """One engine's life, ours or another's; whether it should have another."""
        said = rendezvous.read(self.data_dir)
        if said is not None and said.version != __version__:
            self._publish(engine_report.mismatched(said.version, __version__))
            return False
        if said is not None:
            return self._attend(said, stopping)
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with self._changed:  # a stop that comes now finds either no child yet, or this one
                if stopping.is_set():
                    return False
                self._up.clear()
                self._child = child = EngineChild(self._command(), self._variables(), self.data_dir, self._hear)
        except (SetupProblem, OSError, ValueError) as problem:
            return self._fail(f"The engine cannot be started: {problem}")
        try:
            return self._watch(child, stopping)
        finally:
            self._child = None

    def _attend(self, said: rendezvous.Rendezvous, stopping: threading.Event) -> bool:
        """An engine that another program started; when it ends in order, it takes its address away."""
        self._publish(engine_report.ready(said.url, said.pid, said.version), EngineLink(said.url, said.token))
        while not stopping.is_set() and rendezvous.process_lives(said.pid):
            if self._look.wait(_LOOK_S):
                self._look.clear()
                if rendezvous.read(self.data_dir) is None:
                    break
        if stopping.is_set() or not (self.data_dir / rendezvous.FILE).exists():
            return False
        self._publish(engine_report.starting(why="stopped unexpectedly"))
        return True

    def _watch(self, child: EngineChild, stopping: threading.Event) -> bool:
        if self._now.state is not EngineState.STARTING and self._link is None:
            self._publish(engine_report.starting(child.pid))
        in_time = self._up.wait(_START_S)
        if not in_time or (self._link is None and not child.ends_within(_END_S)):
            child.end()
            return self._fail(f"The engine did not answer within {_START_S:g} s.")
        code = child.wait()
        was_ready = self._now.state is EngineState.READY
        if stopping.is_set() or self._now.state is EngineState.FAILED:
            return False
        if code == 0:  # it was idle, or somebody stopped it on purpose; or another engine was quicker, which we look for
            return not was_ready
        if was_ready:
            self._publish(engine_report.starting(why="stopped unexpectedly"))
            return True
        return self._fail(f"The engine ended while it started: {child.last_words() or f'exit code {code}'}")

    def _fail(self, sentence: str) -> bool:
        self._failures += 1
        logger.warning("%s", sentence)
        self._publish(engine_report.failed(f"{sentence} Stylus tries again by itself; details are in {self.data_dir}."))
        return True

    def _hear(self, line: str) -> None:
        """Its first words come when its address is written and its door is open."""
        child = self._child
        if not line:
            self._up.set()
        said = rendezvous.read(self.data_dir) if line.startswith(READY_WORDS) else None
        if said is None or child is None:
            return
        if said.version == __version__:
            self._publish(engine_report.ready(said.url, said.pid, said.version), EngineLink(said.url, said.token))
            self._up.set()
        else:
            self._publish(engine_report.mismatched(said.version, __version__))
            child.ask_to_end()

    def _command(self) -> list[str]:
        words = ["serve", "--bound", "--idle-minutes", f"{self._idle_minutes:g}", "--data-dir", str(self.data_dir)]
        return self._setup.command([*words, *self._settings()])

    def _variables(self) -> dict[str, str]:
        return self._setup.variables() | {rendezvous.TOKEN_VARIABLE: secrets.token_urlsafe(32)}


def current(data_dir: Path, *, url: str = "", token: str = "", settings: Callable[[], list[str]] = list) -> EngineProcess:
    """The one of this WebUI, also after its UI was reloaded; changed settings make another, which takes over what ran."""
    fresh = EngineProcess(data_dir, url=url, token=token, settings=settings)
    with _guard:
        old = _current.get("engine")
        if old is not None and old.identity == fresh.identity:
            return old
        _current["engine"] = fresh
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
