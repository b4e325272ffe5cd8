"""The server itself: what was asked goes to a script, and what the script says goes out over a real
socket, byte by byte if it must.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.local_server import serve


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def system(self) -> str:
        return next(
            (
                str(one["content"])
                for one in self.body.get("messages", ())
                if one["role"] == "system"
            ),
            "",
        )

    @property
    def user(self) -> str:
        content = next(one["content"] for one in self.body["messages"] if one["role"] == "user")
        return content if isinstance(content, str) else str(content[0]["text"])

    @property
    def form(self) -> str:
        return str(self.body.get("response_format", {}).get("type", "text"))


@dataclass(frozen=True)
class Sent:
    """`cut` ends the connection after so many bytes of the body, `drip_s` waits before each byte,
    `first_s` before the status.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    first_s: float = 0.0
    drip_s: float = 0.0
    cut: int | None = None
    raw: bytes | None = None
    """In place of the whole answer, its status line too."""


Step = Callable[[Asked], Sent]


@dataclass
class ChatService:
    """`script` holds what to do with the next requests; when it is over, `always`. `refuses` are
    parameters that are answered with 400.
    """

    always: Step
    url: str = ""
    script: list[Step] = field(default_factory=list)
    seen: list[Asked] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    ollama: bool = False
    freed: list[dict[str, Any]] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)

    def answer(self, asked: Asked) -> Sent:
        if asked.path.endswith("/api/generate"):
            self.freed.append(asked.body)
            return (
                Sent(b'{"done": true, "done_reason": "unload"}')
                if self.ollama
                else Sent(b'{"error": "not found"}', 404)
            )
        with self.guard:
            self.seen.append(asked)
            step = self.script.pop(0) if self.script else self.always
        against = self._against(asked)
        if against:
            error = {
                "error": {
                    "message": (
                        f"Unsupported parameter: '{against}' is not supported with this model."
                    ),
                    "param": against,
                }
            }
            return Sent(json.dumps(error).encode(), 400)
        return step(asked)

    def _against(self, asked: Asked) -> str:
        formats = {
            "json_schema": "response_format.json_schema",
            "json_object": "response_format.type json_object",
        }
        if asked.form in self.refuses:
            return formats[asked.form]
        if "system" in self.refuses and asked.system:
            return "system role"
        if "images" in self.refuses and "image_url" in json.dumps(asked.body):
            return "image input"
        return next((name for name in asked.body if name in self.refuses), "")


@contextlib.contextmanager
def serving(always: Step) -> Iterator[ChatService]:
    told = ChatService(always)
    with serve(_handler(told)) as told.url:
        try:
            yield told
        finally:
            told.stop.set()


def _handler(told: ChatService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sent = told.answer(
                Asked(
                    self.path, {name.lower(): value for name, value in self.headers.items()}, body
                )
            )
            with contextlib.suppress(OSError):  # a client that has waited long enough is gone
                if not told.stop.wait(sent.first_s):
                    _send(self, sent, told.stop)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

    return Handler


def _send(to: BaseHTTPRequestHandler, sent: Sent, stop: threading.Event) -> None:
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(sent.body)),
        **sent.headers,
    }
    lines = [
        f"HTTP/1.1 {sent.status} As-Told",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    head = "\r\n".join(lines).encode("latin-1", "replace")
    if sent.drip_s:
        to.connection.sendall(head)
        for byte in sent.body:
            to.connection.sendall(bytes((byte,)))
            if stop.wait(sent.drip_s):
                return
        return
    to.connection.sendall(sent.raw if sent.raw is not None else head + sent.body[: sent.cut])
    if sent.raw is not None or sent.cut is not None:
        to.close_connection = True
        to.connection.shutdown(socket.SHUT_RDWR)
