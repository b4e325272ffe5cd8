"""Routes and page actions: guard, handler, then JSON, a file or an error message."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    StylusError,
    Unavailable,
)
from stylus_ext.host.guard import UNAUTHORIZED, Guard, GuardRefusal, RequestKind

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from stylus_ext.host.engine.supervisor import EngineProcess

logger = logging.getLogger(__name__)


_LARGEST_BODY = 2 * 1024 * 1024
_TOO_LARGE = 413
_CODES: tuple[tuple[type[StylusError], int, str], ...] = (
    (InvalidInput, 400, "invalid"),
    (DeadlineExceeded, 504, "late"),
    (Cancelled, 503, "cancelled"),
    (Unavailable, 503, "unavailable"),
)
Payload = dict[str, Any]
Handler = Callable[["Request"], Awaitable["Response"]]


@dataclass(frozen=True, slots=True)
class File:
    """A response body with its content type."""

    data: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One request of the page: payload and engine."""

    payload: Payload
    process: EngineProcess

    def engine(
        self, method: str, path: str, payload: Any = None, timeout_s: float = 30.0
    ) -> Payload:
        """Ask the engine, starting it if needed."""
        from stylus_ext.host.engine.client import EngineClient  # not at the WebUI's start

        return EngineClient(self.process).ask(method, path, payload, timeout_s)

    def running_engine(
        self, method: str, path: str, payload: Any = None, timeout_s: float = 30.0
    ) -> Payload:
        """Ask the engine; raises `Unavailable` where it is not running, and starts none."""
        if self.is_resting:
            raise Unavailable(self.process.report().sentence)
        return self.engine(method, path, payload, timeout_s)

    @property
    def is_resting(self) -> bool:
        from stylus_ext.host.engine.setup_state import EngineState

        return self.process.report().state is EngineState.STOPPED


@dataclass(frozen=True, slots=True)
class Action:
    """A handler with its kind of access, fixed or read from the payload by `kind_of`."""

    run: Callable[[ActionRequest], Payload | File]
    kind: RequestKind = RequestKind.LOOK
    kind_of: Callable[[Payload], RequestKind] | None = None

    def wants(self, payload: Payload) -> RequestKind:
        return self.kind if self.kind_of is None else self.kind_of(payload)


def passed(path: str, timeout_s: float = 30.0) -> Callable[[ActionRequest], Payload]:
    """A handler that passes the payload to a path of the engine."""
    return lambda request: request.engine("POST", f"/v1/{path}", request.payload, timeout_s)


def shown(path: str, timeout_s: float = 30.0) -> Callable[[ActionRequest], Payload]:
    """Like `passed`, for what a page shows by itself: starts no engine."""
    return lambda request: request.running_engine("POST", f"/v1/{path}", request.payload, timeout_s)


class BadRequest(Exception):
    """An error with its own HTTP status."""

    def __init__(self, refusal: GuardRefusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


def guarded(
    guard: Guard,
    kind: RequestKind,
    answer: Callable[[Request], Awaitable[Payload | File]],
    asks: bool = True,
) -> Handler:
    """Wrap a handler. `asks` sends the Basic scheme to programs; pages would show a dialog."""
    from starlette.responses import JSONResponse, Response

    async def endpoint(request: Request) -> Response:
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        try:
            admit(guard.refusal(kind, request))
            content = await answer(request)
            if isinstance(content, File):
                return Response(
                    content.data,
                    headers={
                        **headers,
                        "Content-Type": content.content_type,
                        "Content-Security-Policy": "sandbox",
                    },
                )
            return JSONResponse(content, headers=headers)
        except BadRequest as bad:
            if asks and bad.refusal.status == UNAUTHORIZED:
                headers["WWW-Authenticate"] = "Basic"
            return JSONResponse(_error("refused", str(bad)), bad.refusal.status, headers=headers)
        except StylusError as error:
            status, code = next(
                ((status, code) for kind, status, code in _CODES if isinstance(error, kind)),
                (500, "failed"),
            )
            return JSONResponse(_error(code, str(error)), status, headers=headers)

    return endpoint


async def body(request: Request) -> Payload:
    """Read a bounded body; the stated length is not trusted."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > _LARGEST_BODY:
            raise BadRequest(
                GuardRefusal(_TOO_LARGE, f"A request has at most {_LARGEST_BODY // 2**20} MiB.")
            )
    try:
        payload = json.loads(bytes(data) or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The request's body is not JSON.") from error
    if not isinstance(payload, Mapping):
        raise InvalidInput("A request is a JSON object.")
    return dict(payload)


def admit(refusal: GuardRefusal | None) -> None:
    if refusal is not None:
        logger.info("refused: %s", refusal.sentence)
        raise BadRequest(refusal)


def _error(code: str, sentence: str) -> Payload:
    return {"error": {"code": code, "message": sentence}}


PREFIX = "/stylus/v1"
_METHODS = {
    "plan": "POST",
    "status": "GET",
    "version": "GET",
    "ui/{name}": "POST",
    "fetch": "POST",
    "catalogue/sync": "POST",
    "catalogue/identify": "POST",
    "jobs": "GET",
    "jobs/{job}": "GET",
    "jobs/{job}/cancel": "POST",
}


def add(app: Any, make: Callable[[], Mapping[str, Handler]]) -> None:
    """Add the routes to this app once, before its catch-all routes."""
    from starlette.routing import Route

    made: dict[str, Handler] = {}
    guard = Lock()

    def late(name: str) -> Handler:
        async def endpoint(request: Request) -> Response:
            with guard:
                if not made:
                    made.update(make())
            return await made[name](request)

        return endpoint

    routes = app.router.routes
    routes[:] = [
        route for route in routes if not str(getattr(route, "path", "")).startswith(f"{PREFIX}/")
    ]
    routes[:0] = [
        Route(f"{PREFIX}/{name}", late(name), methods=[method]) for name, method in _METHODS.items()
    ]
