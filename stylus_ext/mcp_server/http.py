"""The server over streamable HTTP, for clients on this machine that have its token."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stylus_ext.core.errors import StoreProblem
from stylus_ext.core.files import write_file
from stylus_ext.engine.access import (
    RequestRefused,
    admit_host,
    admit_origin,
    admit_token,
    limited_body,
    server_config,
)
from stylus_ext.engine.serve import checked_token

TOKEN_VARIABLE = "STYLUS_MCP_TOKEN"  # noqa: S105
TOKEN_FILE = "mcp-token"  # noqa: S105
PATH = "/mcp"
_MOST_SESSIONS = 100


@dataclass(frozen=True, slots=True)
class ClientGate:
    """ASGI middleware: refuses a foreign Host or Origin and requests without the token.

    The two checks stop web pages that point a name of their own at this machine. `names` are
    those of a proxy in front of this server.
    """

    app: ASGIApp
    token: str
    names: Collection[str] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)  # the start and the end
            return
        headers = Headers(scope=scope)
        try:
            admit_host(headers, self.names)
            admit_origin(headers, self.names)
            admit_token(headers, self.token, f"it is in {TOKEN_FILE} in the data folder")
            if scope["method"] == "POST":
                receive = limited_body(headers, receive)
        except RequestRefused as refusal:
            await refusal.answer()(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def token_of(folder: Path) -> str:
    """The token that the variable sets, else that of the file, which is made once."""
    given = os.environ.pop(TOKEN_VARIABLE, "")
    if given:
        return checked_token(given)
    file = folder / TOKEN_FILE
    try:
        if not file.exists():
            write_file(file, secrets.token_urlsafe(32), 0o600)
        return checked_token(file.read_text("ascii").strip()) or _no_token(file)
    except (OSError, ValueError) as error:
        raise StoreProblem(f"{file} cannot be used ({error}). Delete it.") from error


def _no_token(file: Path) -> str:
    raise StoreProblem(f"{file} is empty. Delete it.")


def application(server: Server[Any], token: str, names: Collection[str] = ()) -> ASGIApp:
    sessions = StreamableHTTPSessionManager(server, max_sessions=_MOST_SESSIONS)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with sessions.run():
            yield

    route = Route(PATH, endpoint=StreamableHTTPASGIApp(sessions))
    return ClientGate(Starlette(routes=[route], lifespan=lifespan), token, names)


def serve_http(app: ASGIApp, listener: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve on this socket until a signal; `ready` gets the address."""

    class Announced(uvicorn.Server):  # type: ignore[misc]  # mypy sees no types of uvicorn
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            host, port = listener.getsockname()[:2]
            ready(f"http://{host}:{port}{PATH}")

    Announced(server_config(app, lifespan="on")).run(sockets=[listener])
