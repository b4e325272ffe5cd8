"""The sockets of both origins: requests are recorded, answers sent with their faults."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.civitai_service.faults import Fault, Faults

_PIECE = 64 * 1024


@dataclass(frozen=True)
class Seen:
    """A request as it came. `headers` by lower-case name, `body` as parsed JSON."""

    on: str
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any
    at: float
    target: str

    def one(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def many(self, name: str) -> list[str]:
        """Repeated, or with commas."""
        return [part for value in self.query.get(name, []) for part in value.split(",") if part]

    def __str__(self) -> str:
        """All that a spy could read of it."""
        return f"{self.target} {dict(self.headers)} {self.body}"


@dataclass
class Reply:
    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    def data(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


Answering = Callable[[Seen, Fault], Reply]


class Server(ThreadingHTTPServer):
    """One origin; `over` lets go of stalled connections."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, on: str, answering: Answering, faults: Faults, seen: list[Seen]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.on, self.answering, self.faults, self.seen = on, answering, faults, seen
        self.over = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers leave as they like."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        request = Seen(
            self.server.on,
            self.command,
            unquote(parts.path),
            parse_qs(parts.query, keep_blank_values=True),
            {name.lower(): value for name, value in self.headers.items()},
            json.loads(raw) if raw else None,
            time.monotonic(),
            self.path,
        )
        self.server.seen.append(request)
        fault = self.server.faults.next(self.server.on, parts.path)
        with suppress(OSError):
            self._send(request, fault)

    do_POST = do_HEAD = do_GET  # noqa: N815

    def _send(self, request: Seen, fault: Fault) -> None:
        self.server.over.wait(fault.delay_s)
        if fault.headless:
            self._reset()
            return
        reply = (
            self.server.answering(request, fault)
            if fault.status is None
            else Reply(fault.status, fault.body)
        )
        body = reply.data() if fault.alter is None else fault.alter(reply.data())
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json", **reply.headers, **fault.headers}
        if fault.chunked:
            self.close_connection = True
            headers["Connection"] = "close"
        else:
            headers["Content-Length"] = str(len(body) if fault.length is None else fault.length)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._body(body, fault)

    def _body(self, body: bytes, fault: Fault) -> None:
        stops = [stop for stop in (fault.cut_at, fault.end_at, fault.stall_at) if stop is not None]
        upto = min([len(body), *stops])
        view, piece = (
            memoryview(body),
            _PIECE if fault.pace is None else max(1, int(fault.pace / 20)),
        )
        for start in range(0, upto, piece):
            self.wfile.write(view[start : min(start + piece, upto)])
            if fault.pace is not None and self.server.over.wait(piece / fault.pace):
                break
        if fault.stall_at is not None:
            self._stall()
        if fault.cut_at is not None:
            self._reset()
        elif upto < len(body) or (fault.length is not None and fault.length != len(body)):
            self.close_connection = True

    def _stall(self) -> None:
        self.close_connection = True
        self.connection.settimeout(0.02)
        while not self.server.over.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@contextmanager
def listening(on: str, answering: Answering, faults: Faults, seen: list[Seen]) -> Iterator[str]:
    """The origin's address."""
    server = Server(on, answering, faults, seen)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
