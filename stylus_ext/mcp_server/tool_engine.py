"""The engine that answers the tools: one that runs already, or a child process."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import EngineGone, EngineRefusal, InvalidInput, Unavailable
from stylus_ext.environment.engine_link import EngineLink, attach
from stylus_ext.environment.run_in_env import main_command

logger = logging.getLogger(__name__)

IDLE_MINUTES = 30
_CLI = "stylus_ext.cli.main"
_START_S, _END_S, _CHECK_S, _POLL_S = 120.0, 10.0, 5.0, 0.1
_ANSWER_S = 300.0
_LONGEST_LINE = 300


class ToolEngine:
    """Calls the engine of a data folder; if none runs, starts one that ends with this process.

    The started one also ends after some idle time, and is started again by the next call.
    """

    def __init__(self, folder: Path, flags: Sequence[str], start_s: float = _START_S) -> None:
        """`flags` are settings of an engine that is started here."""
        self._folder, self._flags, self._start_s = folder, flags, start_s
        self._lock = threading.Lock()
        self._link: EngineLink | None = None
        self._child: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._last_line = ""

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation that changes nothing; if the engine has ended, once more."""
        try:
            return self._ask(operation, payload)
        except EngineGone as gone:
            logger.warning("%s Asking again.", gone)
            with self._lock:
                self._link = None
        try:
            return self._ask(operation, payload)
        except EngineGone as gone:
            raise Unavailable(str(gone)) from gone

    def close(self) -> None:
        """End the engine that was started here."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if self._reader is not None:
            self._reader.join(_END_S)

    def _ask(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._connected().call_while_alive(f"/v1/{operation}", payload, _ANSWER_S)
        except EngineRefusal as refusal:
            kind = InvalidInput if refusal.code == "invalid" else Unavailable
            raise kind(str(refusal)) from refusal

    def _connected(self) -> EngineLink:
        with self._lock:
            if self._link is None:
                self._link = self._running() or self._started()
            return self._link

    def _running(self) -> EngineLink | None:
        link = attach(self._folder)
        if link is not None:
            try:
                link.check(_CHECK_S)
            except EngineGone as gone:
                logger.info("%s", gone)
                return None
        return link

    def _started(self) -> EngineLink:
        """Start an engine and wait for it; another process may start one first."""
        self.close()
        self._child = self._start()
        until = time.monotonic() + self._start_s
        while time.monotonic() < until:
            link = self._running()
            if link is not None:
                return link
            if self._child.poll() not in (None, 0):
                break
            time.sleep(_POLL_S)
        ended = self._child.poll() is not None
        self.close()
        reason = self._last_line if ended else f"It was not ready within {self._start_s:g} s."
        reason = reason or "engine.log in the data folder says why."
        raise Unavailable(f"The Stylus engine did not start. {reason}")

    def _start(self) -> subprocess.Popen[str]:
        words = ("serve", "--bound", "--idle-minutes", str(IDLE_MINUTES))
        where = ("--data-dir", str(self._folder))
        child = subprocess.Popen(
            main_command(_CLI, *words, *where, *self._flags),
            stdin=subprocess.PIPE,  # the engine ends when it is closed, by us or with us
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        self._last_line = ""
        self._reader = threading.Thread(target=self._pass_on, args=(child,), daemon=True)
        self._reader.start()
        return child

    def _pass_on(self, child: subprocess.Popen[str]) -> None:
        """Copy what the engine writes to standard error; its last line may say why it ended."""
        assert child.stderr is not None  # noqa: S101
        with child.stderr:
            for line in child.stderr:
                sys.stderr.write(line)
                self._last_line = line.strip()[:_LONGEST_LINE] or self._last_line
