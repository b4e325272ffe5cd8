"""Runs the engine: opens the data folder, listens on loopback, says that it is ready, and ends cleanly when told to."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.app.wiring import Stylus, open_stylus
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.engine.jobs import Jobs
from stylus_ext.engine.server import Engine

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Door:
    """Where the engine is to be found; told when it answers."""

    url: str
    token: str


def serve(folder: Path, settings: Settings, port: int, token: str, ready: Callable[[Door], None]) -> None:
    """Returns when the engine has ended. Port 0 takes a free one, an empty token a random one."""
    import uvicorn

    listener = _listen(port)
    address = f"{LOOPBACK}:{listener.getsockname()[1]}"
    door = Door(f"http://{address}", token or secrets.token_urlsafe(32))
    stylus = open_stylus(folder, settings)
    jobs = Jobs()
    try:
        hosts = frozenset({address, address.replace(LOOPBACK, "localhost")})
        engine = Engine(stylus, jobs, door.token, hosts, stop=lambda: setattr(server, "should_exit", True))
        config = uvicorn.Config(engine, log_config=None, lifespan="off", access_log=False, timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        jobs.start("prepare", lambda progress: _prepare(stylus, progress))
        ready(door)  # the socket listens already: whoever calls now is answered as soon as the server runs
        server.run(sockets=[listener])
    finally:
        jobs.close()
        stylus.close()
        listener.close()


def _prepare(stylus: Stylus, progress: Progress) -> dict[str, object]:
    stylus.prepare(progress)
    return {}


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise Unavailable(f"Port {port} of this machine is taken ({error.strerror}); name another one, or none for a free one.") from error
    listener.listen(128)
    return listener
