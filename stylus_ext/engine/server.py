"""The engine's HTTP API: a FastAPI application over the operations and jobs."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from stylus_ext import __version__
from stylus_ext.catalogue.on_disk import UnknownInventory
from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError, Unavailable
from stylus_ext.engine.jobs import Jobs
from stylus_ext.engine.operations.table import OPERATIONS, Operation
from stylus_ext.engine.stylus import Stylus
from stylus_ext.environment.engine_link import PROOF_PATH, proof_of

logger = logging.getLogger(__name__)

LARGEST_BODY = 32 * 1024 * 1024
HEAD_S, BODY_S = 10.0, 60.0
"""How long the head and the body of a request may take to arrive."""
READING_S, READ_AT_LEAST = 60.0, 64 * 1024
"""A client that reads fewer bytes of a waiting answer than this in this time is given up."""
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_LONGEST_MESSAGE = 2000
_SHORTEST_NONCE, _LONGEST_NONCE = 32, 256
_SLACK_S = 0.05
_METHODS = ("GET", "POST")
_STATUS: Mapping[type[StylusError], tuple[int, str]] = {
    UnknownInventory: (409, "inventory"),
    InvalidInput: (400, "invalid"),
    Unavailable: (503, "unavailable"),
    Cancelled: (503, "unavailable"),
    StylusError: (500, "failed"),
}


class JsonAnswer(JSONResponse):
    """JSON in ASCII, which may hold lone surrogates of a prompt; never cached."""

    def __init__(self, content: Any, status_code: int = 200) -> None:
        super().__init__(content, status_code, {"Cache-Control": "no-store"})

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


class RequestRefused(HTTPException):
    """A refused request: HTTP status, error code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code

    def answer(self) -> JsonAnswer:
        answer = _error(self.status_code, self.code, str(self.detail))
        if self.status_code == HTTPStatus.REQUEST_TIMEOUT:
            answer.headers["Connection"] = "close"
        return answer


@dataclass(frozen=True, slots=True)
class AccessGate:
    """ASGI middleware: checks the Host header, the token and the size of the body.

    The Host check stops web pages that point a name of their own at this machine. Every body is
    taken as JSON.
    """

    app: ASGIApp
    token: str
    used: Callable[[], None]
    """Called for each POST request, to restart the idle timeout."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            headers = Headers(scope=scope)
            _admit_host(headers)
            if scope["path"] == PROOF_PATH:
                await _proof(scope, self.token)(scope, receive, send)
                return
            self._admit(headers)
            if scope["method"] == "POST":
                self.used()
                receive = _limited(headers, receive)
                scope = {**scope, "headers": list(scope["headers"])}
                MutableHeaders(scope=scope)["content-type"] = "application/json"
        except RequestRefused as refusal:
            await refusal.answer()(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _admit(self, headers: Headers) -> None:
        given = headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode("latin-1")):
            raise RequestRefused(
                401, "token", "The bearer token is missing or wrong; engine.json contains it."
            )


def is_local_host(headers: Headers) -> bool:
    return _host_name(headers.get("host", "")) in LOCAL_NAMES


def _admit_host(headers: Headers) -> None:
    if not is_local_host(headers):
        raise RequestRefused(
            403, "host", "The engine answers only to a local address, such as 127.0.0.1."
        )


def _proof(scope: Scope, token: str) -> JsonAnswer:
    """Shows to a client without a token that this is the engine."""
    nonce = parse_qs(scope["query_string"].decode("latin-1")).get("nonce", [""])[0]
    if not _SHORTEST_NONCE <= len(nonce) <= _LONGEST_NONCE:
        raise RequestRefused(
            400, "invalid", f"A nonce has {_SHORTEST_NONCE} to {_LONGEST_NONCE} characters."
        )
    port = scope["server"][1]
    return JsonAnswer({"port": port, "proof": proof_of(token, nonce, port)})


def _host_name(host: str) -> str | None:
    """The name without the port, which a tunnel may have changed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


class ImpatientProtocol(AutoHTTPProtocol):  # type: ignore[misc]  # mypy sees no types of uvicorn
    """Closes a connection whose request has no whole head in time, or whose client does not read
    its answer; uvicorn waits for ever.
    """

    _timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._watch()
        self._watch_reading(unread_before=0)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_timer()
        if self._reading_timer is not None:
            self._reading_timer.cancel()
        super().connection_lost(error)

    def _watch_reading(self, unread_before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread and unread_before and unread > unread_before - READ_AT_LEAST:
            self.transport.abort()  # close() would wait until everything is read
        else:
            self._reading_timer = self.loop.call_later(READING_S, self._watch_reading, unread)

    def _watch(self) -> None:
        if not self._is_waiting():
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self._close)

    def _is_waiting(self) -> bool:
        """Whether no request is being answered; after one, uvicorn has a timeout of its own."""
        return self.cycle is None or self.cycle.response_complete

    def _close(self) -> None:
        self._timer = None
        if self._is_waiting():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _limited(headers: Headers, receive: Receive) -> Receive:
    """Receives a body of at most `LARGEST_BODY` bytes, within `BODY_S`."""
    length = headers.get("content-length", "")
    size = int(length[:20]) if length.isdecimal() else 0
    received = 0
    is_whole = False
    until = time.monotonic() + BODY_S

    async def limited() -> Message:
        nonlocal received, is_whole
        if is_whole:  # what follows is the end of the connection
            return await receive()
        if max(size, received) <= LARGEST_BODY:
            try:
                message = await asyncio.wait_for(receive(), max(0.0, until - time.monotonic()))
            except (asyncio.TimeoutError, TimeoutError):  # two classes in Python 3.10
                raise RequestRefused(
                    408, "slow", f"The request did not come within {BODY_S:g} s."
                ) from None
            received += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if received <= LARGEST_BODY:
                return message
        raise RequestRefused(
            413, "too_large", f"A request has at most {LARGEST_BODY // 2**20} MiB."
        )

    return limited


class _StrictRequest(Request):
    """A request whose body is strict JSON, without NaN and Infinity; an empty one is {}."""

    async def body(self) -> bytes:
        return await super().body() or b"{}"

    async def json(self) -> Any:
        try:
            return json.loads(await self.body(), parse_constant=_not_json)
        except (ValueError, RecursionError) as error:
            raise RequestRefused(400, "json", "The request's body is not JSON.") from error


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict


@dataclass(frozen=True, slots=True)
class HttpApi:
    """The API over one data folder; `stop` asks the server to end."""

    stylus: Stylus
    jobs: Jobs
    stop: Callable[[], None]
    stopping: threading.Event = field(default_factory=threading.Event)

    def report(self, step: str, done: int, total: int | None = None) -> None:  # noqa: ARG002
        """The progress of short operations; ends them when the engine stops."""
        if self.stopping.is_set():
            raise Cancelled("The engine is stopping.")

    def app(self, token: str, used: Callable[[], None]) -> ASGIApp:
        app = FastAPI(
            title="Stylus engine",
            description="Every request needs the header `Authorization: Bearer TOKEN`.",
            version=__version__,
            openapi_url="/v1/openapi.json",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            default_response_class=JsonAnswer,
        )
        app.router.route_class = _StrictRoute
        app.add_exception_handler(StylusError, _answer_error)
        app.add_exception_handler(HTTPException, _answer_error)
        app.add_exception_handler(RequestValidationError, _answer_error)
        for name, operation in OPERATIONS.items():
            self._add_operation(app, name, operation)
        self._add_jobs(app)
        return AccessGate(app, token, used)

    def _add_operation(self, app: FastAPI, name: str, operation: Operation) -> None:
        async def perform(request: Any) -> JsonAnswer:
            return JsonAnswer(await self._perform(name, operation, request))

        async def start_job(request: Any) -> JsonAnswer:
            job = self.jobs.start(
                name if operation.job_name is None else operation.job_name(request),
                lambda progress: operation.run(self.stylus, request, progress),
                concurrent=operation.concurrent,
            )
            return JsonAnswer(job.as_json())

        async def refuse() -> JsonAnswer:
            raise RequestRefused(
                409,
                "job",
                f"{name} takes long. Use POST /v1/jobs/{name}, then GET /v1/jobs/<id>.",
            )

        for handler in (perform, start_job):
            handler.__annotations__["request"] = operation.input
        if operation.long:
            app.post(f"/v1/{name}", include_in_schema=False)(refuse)
        else:
            app.post(f"/v1/{name}", operation_id=name, summary=name)(perform)
        job = f"{name} as a job"
        app.post(f"/v1/jobs/{name}", operation_id=f"job_{name}", summary=job)(start_job)

    async def _perform(self, name: str, operation: Operation, request: Any) -> dict[str, Any]:
        work = asyncio.to_thread(operation.run, self.stylus, request, self)
        deadline_s = getattr(request, "deadline_s", None)
        try:
            if operation.late is None or deadline_s is None:
                return await work
            return await asyncio.wait_for(work, deadline_s + _SLACK_S)
        except StylusError:
            raise
        except (asyncio.TimeoutError, TimeoutError):  # the first is another class in Python 3.10
            if operation.late is None:
                raise
            return operation.late(request)  # the thread goes on: the next plan profits from it
        except Exception as error:
            logger.exception("%s failed", name)
            raise RequestRefused(
                500,
                "unexpected",
                f"{name} failed unexpectedly ({type(error).__name__}). See the engine's log.",
            ) from error

    def _add_jobs(self, app: FastAPI) -> None:
        @app.get("/v1/status")
        async def status() -> JsonAnswer:
            operation = OPERATIONS["status"]
            return JsonAnswer(await self._perform("status", operation, operation.input()))

        @app.get("/v1/schema")
        async def schema() -> JsonAnswer:
            return JsonAnswer(
                {
                    name: {**operation.input.model_json_schema(), "long": operation.long}
                    for name, operation in OPERATIONS.items()
                }
            )

        @app.get("/v1/jobs")
        async def jobs() -> JsonAnswer:
            return JsonAnswer({"jobs": [job.as_json() for job in self.jobs.all()]})

        @app.get("/v1/jobs/{job_id}")
        async def job(job_id: str) -> JsonAnswer:
            return JsonAnswer(self.jobs.get(job_id).as_json())

        @app.post("/v1/jobs/{job_id}/cancel")
        async def cancel(job_id: str) -> JsonAnswer:
            return JsonAnswer(self.jobs.cancel(job_id).as_json())

        @app.post("/v1/shutdown")
        async def shutdown() -> JsonAnswer:
            self.stopping.set()
            self.stop()
            return JsonAnswer({"stopping": True})


async def _answer_error(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestRefused):
        return error.answer()
    if isinstance(error, HTTPException):
        method, path = request.method, request.url.path
        if method not in _METHODS:
            return _error(405, "method", "The engine answers GET and POST.")
        return _error(404, "not_found", f"The engine has nothing at {method} {path}.")
    if isinstance(error, RequestValidationError):  # such as null; models raise InvalidInput
        return _error(400, "invalid", "A request is a JSON object.")
    status, code = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    return _error(status, code, str(error))


def _error(status: int, code: str, message: str) -> JsonAnswer:
    return JsonAnswer({"error": {"code": code, "message": message[:_LONGEST_MESSAGE]}}, status)
