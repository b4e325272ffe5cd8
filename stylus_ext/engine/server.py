"""The engine's HTTP door as an ASGI application: who asks is checked first, then what is asked;
answers are JSON.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from stylus_ext.catalogue.on_disk import UnknownInventory
from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError, Unavailable
from stylus_ext.engine.jobs import Jobs
from stylus_ext.engine.operations.table import OPERATIONS, late_answer, patience, perform
from stylus_ext.engine.requests import checked, json_schema

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

logger = logging.getLogger(__name__)


LARGEST_BODY = 32 * 1024 * 1024
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_LONGEST_MESSAGE = 2000

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class RequestRefused(Exception):
    """An answer other than 200: its status, a code for programs and a sentence for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass
class EngineApp:
    """The application; `stop` asks the server to end, `used` hears that somebody wants
    something.
    """

    stylus: Stylus
    jobs: Jobs
    token: str
    stop: Callable[[], None]
    used: Callable[[], None] = lambda: None
    stopping: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
            status = 200
        except RequestRefused as refused:
            status, answer = refused.status, _error(refused.code, refused)
        except UnknownInventory as error:
            status, answer = 409, _error("inventory", error)
        except InvalidInput as error:
            status, answer = 400, _error("invalid", error)
        except (Unavailable, Cancelled) as error:
            status, answer = 503, _error("unavailable", error)
        except StylusError as error:
            status, answer = 500, _error("failed", error)
        except Exception as error:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            said = RequestRefused(
                500,
                "unexpected",
                f"The engine failed unexpectedly ({type(error).__name__}); see its log.",
            )
            status, answer = said.status, _error(said.code, said)
        await _send(send, status, answer)

    def report(self, step: str, done: int, total: int | None = None) -> None:  # noqa: ARG002
        """The progress of what is quick: nobody is told, but it ends when the engine does."""
        if self.stopping.is_set():
            raise Cancelled("The engine is stopping.")

    async def _answer(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        self._admit(headers)
        method, path = scope["method"], scope["path"].strip("/").split("/")
        if path[0] != "v1":
            raise RequestRefused(404, "not_found", "The engine's paths begin with /v1/.")
        if method == "GET":
            return await self._get(path[1:])
        if method == "POST":
            self.used()
            return await self._post(path[1:], await _body(headers, receive))
        raise RequestRefused(405, "method", "The engine answers GET and POST.")

    def _admit(self, headers: Mapping[str, str]) -> None:
        """A page of another site can make a browser call this port, but not under one of these
        names.
        """
        if _host_name(headers.get("host", "")) not in LOCAL_NAMES:
            raise RequestRefused(
                403,
                "host",
                "The engine answers only under an address of this machine, such as 127.0.0.1.",
            )
        given = headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode("latin-1")):
            raise RequestRefused(
                401,
                "token",
                "The engine wants its bearer token; engine.json in the data folder has it.",
            )

    async def _get(self, path: list[str]) -> dict[str, Any]:
        match path:
            case ["status"]:
                return await self._perform("status", {})
            case ["schema"]:
                return {
                    name: {**json_schema(operation.schema), "long": operation.long}
                    for name, operation in OPERATIONS.items()
                }
            case ["jobs"]:
                return {"jobs": [job.as_json() for job in self.jobs.all()]}
            case ["jobs", job_id]:
                return self.jobs.get(job_id).as_json()
        raise RequestRefused(
            404, "not_found", f"The engine has nothing at GET /v1/{'/'.join(path)}"
        )

    async def _post(self, path: list[str], payload: Any) -> dict[str, Any]:
        match path:
            case ["shutdown"]:
                self.stopping.set()
                self.stop()
                return {"stopping": True}
            case ["jobs", job_id, "cancel"]:
                return self.jobs.cancel(job_id).as_json()
            case ["jobs", name] if name in OPERATIONS:
                checked(payload, OPERATIONS[name].schema)
                return self.jobs.start(
                    name,
                    lambda progress: perform(self.stylus, name, payload, progress),
                    beside=OPERATIONS[name].beside,
                ).as_json()
            case [name] if name in OPERATIONS and not OPERATIONS[name].long:
                return await self._perform(name, payload)
            case [name] if name in OPERATIONS:
                raise RequestRefused(
                    409,
                    "job",
                    f"{name} takes long: ask for it at POST /v1/jobs/{name}, then follow"
                    " /v1/jobs/<id>.",
                )
        raise RequestRefused(
            404, "not_found", f"The engine has nothing at POST /v1/{'/'.join(path)}"
        )

    async def _perform(self, name: str, payload: Any) -> dict[str, Any]:
        work = asyncio.to_thread(perform, self.stylus, name, payload, self)
        try:
            return await asyncio.wait_for(work, patience(name, payload))
        except (
            asyncio.TimeoutError
        ):  # of 3.10; the thread goes on to its end, and the next plan finds what it made
            return late_answer(name, payload)


def _host_name(host: str) -> str | None:
    """Without the port, which a tunnel may have changed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _error(code: str, error: Exception) -> dict[str, Any]:
    return {"error": {"code": code, "message": str(error)[:_LONGEST_MESSAGE]}}


async def _body(headers: Mapping[str, str], receive: Receive) -> Any:
    stated = headers.get("content-length", "")
    length = int(stated[:20]) if stated.isdecimal() else 0
    data = bytearray()
    more = True
    while more:
        if max(length, len(data)) > LARGEST_BODY:
            raise RequestRefused(
                413, "too_large", f"A request has at most {LARGEST_BODY // 2**20} MiB."
            )
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRefused(400, "json", "The request broke off.")
        data += message.get("body", b"")
        more = message.get("more_body", False)
    try:
        return json.loads(data or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(400, "json", "The request's body is not JSON.") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


async def _send(send: Send, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
