"""Runs the engine: loads its encoder, listens on loopback, brings the catalogue in order in the
background, ends cleanly.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from stylus_ext.app.wiring import open_stylus
from stylus_ext.app.wiring_stylus import Stylus
from stylus_ext.core.errors import InvalidInput, Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.engine.jobs import FINISHED, Jobs
from stylus_ext.engine.life import Life
from stylus_ext.engine.server import Engine

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
LAST_PORT = 65535
_SHORTEST_TOKEN = 16
_GRACE_S = 5


@dataclass(frozen=True, slots=True)
class Door:
    """Where the engine is to be found; told when it answers."""

    url: str
    token: str


def serve(
    folder: Path,
    settings: Settings,
    port: int,
    token: str,
    ready: Callable[[Door], None],
    life: Life | None = None,
) -> bool:
    """Returns when the engine has ended, by /v1/shutdown, by a signal or as `life` wants it:
    whether its work has ended too.

    Port 0 takes a free one, an empty token a random one.
    """
    token = _checked_token(token) or secrets.token_urlsafe(32)
    with _listening(port) as listener:
        door = Door(f"http://{LOOPBACK}:{listener.getsockname()[1]}", token)
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

    engine = Engine(stylus, jobs, token, stop, life.used)
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
