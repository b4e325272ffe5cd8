"""Runs the engine: opens the data folder, listens on loopback, prepares the catalogue, ends
cleanly; and keeps its log.
"""

from __future__ import annotations

import _thread
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import Any

from stylus_ext.core.errors import InvalidInput, StoreProblem, Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.engine.jobs import FINISHED, Jobs
from stylus_ext.engine.stylus import Stylus, no_gc, open_stylus

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
LAST_PORT = 65535
LOG_FILE = "engine.log"
LARGEST_LOG = 1_000_000
OLD_LOGS = 3
_SHORTEST_TOKEN = 16
_CHECK_INTERVAL_S = 1.0
_EXIT_GRACE_S = 20.0
_END_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_PACKAGE = "stylus_ext"
_PARENT_GONE = "the parent process has ended"


class Lifecycle:
    """Ends the engine with its parent process or after an idle time; `reason` says why it ended.

    `wait_for_parent` returns when the parent has ended. An `idle_s` of 0 disables the idle time.
    """

    def __init__(
        self, wait_for_parent: Callable[[], None] | None = None, idle_s: float = 0.0
    ) -> None:
        self.bound = wait_for_parent is not None
        self.idle_s = idle_s
        self.reason = ""
        self._last_use = time.monotonic()
        self._parent = os.getppid()
        self._wait_for_parent = wait_for_parent
        self._end: Callable[[], None] = _interrupt
        self._busy: Callable[[], bool] = _loading

    def watch(self) -> None:
        """Starts to watch; call it first, since the parent may end while the engine loads."""
        if self._wait_for_parent is not None:
            wait = (self._wait_for_parent,)
            threading.Thread(
                target=self._end_with_parent, args=wait, name="stylus-parent", daemon=True
            ).start()
        if self.bound or self.idle_s:
            threading.Thread(target=self._check, name="stylus-lifecycle", daemon=True).start()

    def attach(self, end: Callable[[], None], busy: Callable[[], bool]) -> None:
        """`end` ends the server, which is not idle while `busy`."""
        self._end, self._busy = end, busy
        self.used()
        if self.reason:
            end()

    def used(self) -> None:
        """Restarts the idle time."""
        self._last_use = time.monotonic()

    def ended(self, reason: str) -> None:
        """Records why the engine ends; the first reason stays."""
        self.reason = self.reason or reason

    def _finish(self, reason: str) -> None:
        if self.reason:
            return
        self.ended(reason)
        logger.info("the engine stops: %s", reason)
        self._end()

    def _end_with_parent(self, wait: Callable[[], None]) -> None:
        try:
            wait()
        except OSError as error:
            logger.info("standard input cannot be read (%s)", error)
        self._finish(_PARENT_GONE)
        time.sleep(_EXIT_GRACE_S)
        os._exit(1)  # something could not be interrupted, and no process waits for it

    def _check(self) -> None:
        while not self.reason:
            time.sleep(_CHECK_INTERVAL_S)
            if self._busy():
                self.used()
            # A sibling may have inherited the pipe, so the end of standard input is not enough.
            # Windows does not change the parent id.
            if self.bound and sys.platform != "win32" and os.getppid() != self._parent:
                self._finish(_PARENT_GONE)
            elif self.idle_s and time.monotonic() - self._last_use > self.idle_s:
                self._finish("it was idle")


def _loading() -> bool:
    """An engine that still loads is busy."""
    return True


def _interrupt() -> None:
    """Acts like a signal from outside. A background process may ignore SIGINT, but not SIGTERM."""
    _thread.interrupt_main(signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class EngineAddress:
    url: str
    token: str


def serve(
    folder: Path,
    settings: Settings,
    port: int,
    token: str,
    ready: Callable[[EngineAddress], None],
    lifecycle: Lifecycle | None = None,
) -> bool:
    """Serves until /v1/shutdown, a signal or the lifecycle ends it; returns whether all jobs ended.

    Port 0 takes a free one, an empty token a random one. `ready` is called once it answers.
    """
    token = checked_token(token) or secrets.token_urlsafe(32)
    with listening(port) as listener:
        address = EngineAddress(f"http://{LOOPBACK}:{listener.getsockname()[1]}", token)
        stylus = open_stylus(folder, settings)
        jobs = Jobs()
        try:
            with no_gc():
                load(stylus)
                server = _server(stylus, jobs, token, lifecycle or Lifecycle())
            with _ended_by_signals(server):
                jobs.start("prepare", lambda progress: _prepare(stylus, progress))
                # The socket already listens: requests wait until the server runs.
                ready(address)
                logger.info("the engine listens at %s for %s", address.url, folder)
                server.run(sockets=[listener])
        finally:
            ended = jobs.close()
            if ended:
                stylus.close()
            logger.info("the engine ends%s", "" if ended else "; the next start resumes a job")
    return ended


@contextmanager
def _ended_by_signals(server: Any) -> Iterator[None]:
    """Lets signals end the server before it runs too: an interrupt would break its event loop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in _END_SIGNALS if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), server.handle_exit) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _server(stylus: Stylus, jobs: Jobs, token: str, lifecycle: Lifecycle) -> Any:
    import uvicorn

    from stylus_ext.engine.access import server_config
    from stylus_ext.engine.server import HttpApi

    class Server(uvicorn.Server):  # type: ignore[misc]  # mypy sees no types of uvicorn
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """Also ends running requests."""
            api.stopping.set()
            super().handle_exit(sig, frame)

    def stop() -> None:
        lifecycle.ended("it was asked to")
        server.should_exit = True

    def end() -> None:
        api.stopping.set()
        server.should_exit = True

    api = HttpApi(stylus, jobs, stop)
    server = Server(server_config(api.app(token, lifecycle.used)))
    lifecycle.attach(end, lambda: any(job.state not in FINISHED for job in jobs.all()))
    return server


def load(stylus: Stylus) -> None:
    """Loads all that plans by words need, and the code that asks a language model.

    `_prepare` loads a local encoder behind them.
    """
    stylus.services.language_model.load()
    if stylus.settings.encoder.endpoint:
        return  # nothing leaves the machine before the first plan
    stylus.catalogue.questions.defer()
    try:
        if stylus.catalogue.embed.is_current():
            stylus.warm()
    except Unavailable as error:
        logger.warning("the engine starts without its encoder: %s", error)


def _prepare(stylus: Stylus, progress: Progress) -> dict[str, Any]:
    """Loads the encoder, brings the catalogue and its vectors up to date, then warms up."""
    progress.report("loading the encoder", 0)
    stylus.catalogue.questions.load()
    stylus.catalogue.prepare(progress)
    progress.report("warming up", 0)
    stylus.warm()
    return {}


def checked_token(token: str) -> str:
    usable = token.isascii() and token.isprintable() and " " not in token
    if token and not (usable and len(token) >= _SHORTEST_TOKEN):
        raise InvalidInput(
            f"The engine's token needs at least {_SHORTEST_TOKEN} ASCII characters without spaces."
        )
    return token


def listening(port: int) -> socket.socket:
    if not 0 <= port <= LAST_PORT:
        raise InvalidInput(
            f"{port} is not a port. Use a number from 1 to {LAST_PORT}, or 0 for a free port."
        )
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let another program take the port away
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Port {port} is in use ({error.strerror}). Use another one, or 0 for a free port."
        ) from error
    listener.listen(128)
    return listener


@contextmanager
def logged_to(folder: Path) -> Iterator[Path]:
    """Logs to a file: Stylus from INFO on, other libraries from WARNING on."""
    path = folder / LOG_FILE
    try:
        handler = _PrivateFileHandler(
            path,
            maxBytes=LARGEST_LOG,
            backupCount=OLD_LOGS,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError as error:
        raise StoreProblem(
            f"The log {path} cannot be written: {error.strerror or error}. Check the data folder."
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(
        lambda record: record.levelno >= logging.WARNING or record.name.startswith(_PACKAGE)
    )
    root, package = logging.getLogger(), logging.getLogger(_PACKAGE)
    level = package.level
    others = [(other, other.level) for other in root.handlers]
    for other, other_level in others:  # they keep to what they wrote before
        other.setLevel(max(other_level, root.getEffectiveLevel()))
    root.addHandler(handler)
    package.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield path
    finally:
        logging.captureWarnings(False)
        package.setLevel(level)
        for other, other_level in others:
            other.setLevel(other_level)
        root.removeHandler(handler)
        handler.close()


class _PrivateFileHandler(RotatingFileHandler):
    """Creates log files that only their user can read."""

    def _open(self):  # type: ignore[no-untyped-def]  # the standard library does not name the type
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.fdopen(
            os.open(self.baseFilename, flags, 0o600),
            "a",
            encoding=self.encoding,
            errors=self.errors,
        )
