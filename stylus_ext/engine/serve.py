"""Runs the engine: loads its encoder, listens on loopback, brings the catalogue in order in the
background, ends cleanly.
"""

from __future__ import annotations

import _thread
import contextlib
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
from stylus_ext.engine.server import EngineApp
from stylus_ext.engine.stylus import Stylus, open_stylus

logger = logging.getLogger(__name__)


_LOOK_S = 1.0
_EXIT_GRACE_S = 20.0


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
        time.sleep(_EXIT_GRACE_S)
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


LOOPBACK = "127.0.0.1"
LAST_PORT = 65535
_SHORTEST_TOKEN = 16
_GRACE_S = 5


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where the engine is to be found; told when it answers."""

    url: str
    token: str


def serve(
    folder: Path,
    settings: Settings,
    port: int,
    token: str,
    ready: Callable[[EngineAddress], None],
    life: Life | None = None,
) -> bool:
    """Returns when the engine has ended, by /v1/shutdown, by a signal or as `life` wants it:
    whether its work has ended too.

    Port 0 takes a free one, an empty token a random one.
    """
    token = _checked_token(token) or secrets.token_urlsafe(32)
    with _listening(port) as listener:
        door = EngineAddress(f"http://{LOOPBACK}:{listener.getsockname()[1]}", token)
        stylus = open_stylus(folder, settings)
        jobs = Jobs()
        try:
            _awake(stylus)
            server = _server(stylus, jobs, door.token, life or Life())
            jobs.start("prepare", lambda progress: _prepare(stylus, progress))
            # The socket listens already: a request that comes now waits until the server runs.
            ready(door)
            logger.info("the engine listens at %s for %s", door.url, folder)
            with contextlib.suppress(KeyboardInterrupt):  # a signal is how an engine is told to end
                server.run(sockets=[listener])
        finally:
            ended = jobs.close()
            if ended:
                stylus.close()
            logger.info(
                "the engine ends%s",
                "" if ended else " in the middle of a job, which the next start takes up again",
            )
    return ended


def _server(stylus: Stylus, jobs: Jobs, token: str, life: Life) -> Any:
    import uvicorn

    class Server(uvicorn.Server):  # type: ignore[misc]  # mypy sees no types of uvicorn
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """A signal also ends what runs for a request; uvicorn raises it again when it has
            closed.
            """
            engine.stopping.set()
            super().handle_exit(sig, frame)

    def stop() -> None:
        life.ended("it was asked to")
        server.should_exit = True

    engine = EngineApp(stylus, jobs, token, stop, life.used)
    config = uvicorn.Config(
        engine,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = Server(config)

    def leave() -> None:
        engine.stopping.set()
        server.should_exit = True

    life.serve(leave, lambda: any(job.state not in FINISHED for job in jobs.all()))
    return server


def _awake(stylus: Stylus) -> None:
    """Who is told where the engine is finds its encoder loaded; and all else that a first plan
    waits for, as after a kill, unless there is something to be made first.
    """
    if stylus.settings.encoder.endpoint:
        # nothing is loaded here, and nothing leaves the machine before somebody asks for a plan
        return
    try:
        stylus.embedder.embed(["a first text"])
        if stylus.embed.in_step():
            stylus.warm()
    except Unavailable as problem:
        logger.warning("the engine starts without its encoder: %s", problem)


def _prepare(stylus: Stylus, progress: Progress) -> dict[str, Any]:
    """The starter catalogue and its vectors, then whatever the first plan would have to wait
    for.
    """
    stylus.prepare(progress)
    progress.report("warming up", 0)
    stylus.warm()
    return {}


def _checked_token(token: str) -> str:
    if token and not (
        len(token) >= _SHORTEST_TOKEN
        and token.isascii()
        and token.isprintable()
        and " " not in token
    ):
        raise InvalidInput(
            f"A token for the engine has at least {_SHORTEST_TOKEN} letters, digits or signs, and"
            " no space."
        )
    return token


def _listening(port: int) -> socket.socket:
    if not 0 <= port <= LAST_PORT:
        raise InvalidInput(
            f"A port is a number from 1 to {LAST_PORT}, or 0 for a free one; {port} is none."
        )
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let another program take the port away
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Port {port} of this machine is taken ({error.strerror}); name another one, or none"
            " for a free one."
        ) from error
    listener.listen(128)
    return listener


LOG_FILE = "engine.log"
LARGEST = 1_000_000
KEPT = 3

_OURS = "stylus_ext"


@contextmanager
def logged_to(folder: Path) -> Iterator[Path]:
    """While it lasts: our own steps from INFO on, other libraries' from WARNING on."""
    path = folder / LOG_FILE
    try:
        handler = _Private(
            path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        raise StoreProblem(
            f"The log {path} cannot be written: {error.strerror or error}. Check the data folder."
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(
        lambda record: record.levelno >= logging.WARNING or record.name.startswith(_OURS)
    )
    root, ours = logging.getLogger(), logging.getLogger(_OURS)
    before = ours.level
    others = [(other, other.level) for other in root.handlers]
    for other, level in others:
        other.setLevel(max(level, root.getEffectiveLevel()))  # they keep to what they said before
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield path
    finally:
        logging.captureWarnings(False)
        ours.setLevel(before)
        for other, level in others:
            other.setLevel(level)
        root.removeHandler(handler)
        handler.close()


class _Private(RotatingFileHandler):
    def _open(self):  # type: ignore[no-untyped-def]  # the standard library gives no name to what this returns
        return os.fdopen(
            os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            "a",
            encoding=self.encoding,
            errors=self.errors,
        )
