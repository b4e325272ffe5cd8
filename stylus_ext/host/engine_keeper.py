"""Keeps one engine alive for a data folder: ours or one that runs there already; what happens goes
to the board.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylus_ext import __version__
from stylus_ext.environment import rendezvous
from stylus_ext.environment.problems import SetupProblem
from stylus_ext.host import engine_report
from stylus_ext.host.engine_board import Board
from stylus_ext.host.engine_child import READY_WORDS, EngineChild
from stylus_ext.host.engine_report import EngineState
from stylus_ext.host.engine_setup import Setup

FIRST_PAUSE_S, LONGEST_PAUSE_S, SETTLED_S = 0.5, 30.0, 60.0
_START_S, _END_S = 120.0, 10.0
_LOOK_S = 1.0
_AGAIN = "stopped unexpectedly"


@dataclass(frozen=True, slots=True)
class Orders:
    """What to run, where, and with which flags (asked at each start, since settings change)."""

    data_dir: Path
    settings: Callable[[], list[str]]
    setup: Setup
    idle_minutes: float


class Keeper:
    """Lives in a thread of its own from a start to a stop, to an idle engine's end, or to a version
    that does not fit.
    """

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
            if not self._orders.setup.ready and rendezvous.read(self._orders.data_dir) is None:
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
        """Ends a child of ours; another's engine goes on."""
        with self._guard:
            self._stopping.set()
            child = self._child
        self._board.look.set()
        if child is not None:
            child.end()

    def _live(self) -> bool:
        """One engine's life; whether there should be another."""
        said = rendezvous.read(self._orders.data_dir)
        if said is not None and said.version != __version__:
            self._board.publish(engine_report.mismatched(said.version, __version__))
            return False
        if said is not None:
            return self._attend(said)
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

    def _attend(self, said: rendezvous.Rendezvous) -> bool:
        """An engine that another program started; when it ends in order, it takes its address
        away.
        """
        self._board.ready(said.url, said.token, said.pid, said.version)
        look = self._board.look
        while not self._stopping.is_set() and rendezvous.process_lives(said.pid):
            if look.wait(_LOOK_S):
                look.clear()
                if rendezvous.read(self._orders.data_dir) is None:
                    break
        if self._stopping.is_set() or not (self._orders.data_dir / rendezvous.FILE).exists():
            return False
        self._board.publish(engine_report.starting(why=_AGAIN))
        return True

    def _watch(self, child: EngineChild) -> bool:
        with self._board.changed:
            if self._board.link is None and self._board.now.state is not EngineState.STARTING:
                self._board.publish(engine_report.starting(child.pid))
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
            self._board.publish(engine_report.starting(why=_AGAIN))
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
        """Its first words come when its address is written and its door is open; nothing, when it
        has ended.
        """
        said = rendezvous.read(self._orders.data_dir) if line.startswith(READY_WORDS) else None
        if said is not None and said.version == __version__:
            self._board.ready(said.url, said.token, said.pid, said.version)
        elif said is not None:
            self._board.publish(engine_report.mismatched(said.version, __version__))
            if self._child is not None:
                self._child.ask_to_end()
        if said is not None or not line:
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
            rendezvous.TOKEN_VARIABLE: secrets.token_urlsafe(32)
        }
