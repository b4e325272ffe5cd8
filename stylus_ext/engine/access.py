"""Who may send the engine what: Host header, token, size and time of a request."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from stylus_ext.environment.engine_link import PROOF_PATH, proof_of

LARGEST_BODY = 32 * 1024 * 1024
HEAD_S, BODY_S = 10.0, 60.0
"""How long the head and the body of a request may take to arrive."""
READING_S, READ_AT_LEAST = 60.0, 64 * 1024
"""A client that reads fewer bytes of a waiting answer than this in this time is given up."""
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
OPEN_PATHS = frozenset({"/health", "/ready"})
"""Answered without a token; they say nothing but whether the engine works."""
_LONGEST_MESSAGE = 2000
_SHUTDOWN_S = 5
_SHORTEST_NONCE, _LONGEST_NONCE = 32, 256


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
        answer = error_answer(self.status_code, self.code, str(self.detail))
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
            admit_host(headers)
            if scope["path"] == PROOF_PATH:
                await _proof(scope, self.token)(scope, receive, send)
                return
            is_open = scope["method"] == "GET" and scope["path"] in OPEN_PATHS
            if not is_open:
                admit_token(headers, self.token, "engine.json contains it")
            if scope["method"] == "POST":
                self.used()
                receive = limited_body(headers, receive)
                scope = {**scope, "headers": list(scope["headers"])}
                MutableHeaders(scope=scope)["content-type"] = "application/json"
        except RequestRefused as refusal:
            await refusal.answer()(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def is_local_host(headers: Headers, names: Collection[str] = ()) -> bool:
    """Whether the Host header is a name of this machine or one of `names`."""
    return host_name(headers.get("host", "")) in {*LOCAL_NAMES, *names}


def admit_host(headers: Headers, names: Collection[str] = ()) -> None:
    if not is_local_host(headers, names):
        raise RequestRefused(
            403, "host", "The engine answers only to a local address, such as 127.0.0.1."
        )


def admit_origin(headers: Headers, names: Collection[str] = ()) -> None:
    """Refuse a request that a web page of another machine sends; programs send no Origin."""
    origin = headers.get("origin")
    if origin is None:
        return
    scheme, _, host = origin.partition("://")
    if scheme not in ("http", "https") or host_name(host) not in {*LOCAL_NAMES, *names}:
        raise RequestRefused(403, "origin", "Requests of other machines' web pages are refused.")


def admit_token(headers: Headers, token: str, where: str) -> None:
    """Refuse a request without the token; `where` says where to find it."""
    given = headers.get("authorization", "").encode("latin-1")
    if not hmac.compare_digest(given, f"Bearer {token}".encode("latin-1")):
        raise RequestRefused(401, "token", f"The bearer token is missing or wrong; {where}.")


def _proof(scope: Scope, token: str) -> JsonAnswer:
    """Shows to a client without a token that this is the engine."""
    nonce = parse_qs(scope["query_string"].decode("latin-1")).get("nonce", [""])[0]
    if not _SHORTEST_NONCE <= len(nonce) <= _LONGEST_NONCE:
        raise RequestRefused(
            400, "invalid", f"A nonce has {_SHORTEST_NONCE} to {_LONGEST_NONCE} characters."
        )
    port = scope["server"][1]
    return JsonAnswer({"port": port, "proof": proof_of(token, nonce, port)})


def host_name(host: str) -> str | None:
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


def limited_body(headers: Headers, receive: Receive) -> Receive:
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


def error_answer(status: int, code: str, message: str) -> JsonAnswer:
    return JsonAnswer({"error": {"code": code, "message": message[:_LONGEST_MESSAGE]}}, status)


def server_config(app: ASGIApp, *, lifespan: str = "off") -> Config:
    """The settings of a server that gives up idle clients and says nothing of itself."""
    return Config(
        app,
        http=ImpatientProtocol,
        log_config=None,
        access_log=False,
        lifespan=lifespan,
        ws="none",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
