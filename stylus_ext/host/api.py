"""The REST routes on the WebUI's own app: /stylus/v1/plan, /stylus/v1/status and /stylus/v1/version, behind the guard.

Plain requests and JSON: no models, since the hosts' fastapi and pydantic differ.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.core.errors import Cancelled, DeadlineExceeded, InvalidInput, StylusError, Unavailable
from stylus_ext.host import routes
from stylus_ext.host.engine_client import EngineClient, answers
from stylus_ext.host.engine_process import EngineProcess
from stylus_ext.host.guard import UNAUTHORIZED, Guard, Kind, Refusal, kind_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

logger = logging.getLogger(__name__)

PREFIX = routes.PREFIX
_LARGEST_BODY = 2 * 1024 * 1024
_STATUS_S = 2.0
_TOO_LARGE = 413
_CODES: tuple[tuple[type[StylusError], int, str], ...] = (
    (InvalidInput, 400, "invalid"), (DeadlineExceeded, 504, "late"), (Cancelled, 503, "cancelled"), (Unavailable, 503, "unavailable"),
)
# The host's own files and the engine's own settings are no caller's: what it needs, the host adds.
_NOT_FOR_CALLERS = ("lora_dirs", "stems", "deadline_s")

Payload = dict[str, Any]
Handler = Callable[["Request"], Awaitable["Response"]]


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes need from the host, asked at each request, since settings change: the engine in use, how a caller's

    payload becomes the engine's (settings, LoRA folders, listed files), and how long a plan may take.
    """

    process: Callable[[], EngineProcess]
    prepare: Callable[[Payload], Payload] = dict
    deadline_s: Callable[[], float] = lambda: 20.0


class BadRequest(Exception):
    """An answer with a status of its own."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


def endpoints(service: Service, guard: Guard) -> dict[str, Handler]:
    """What answers at each of the routes."""
    return {
        "plan": _guarded(guard, Kind.PLAN, lambda request: _plan(request, service, guard)),
        "status": _guarded(guard, Kind.LOOK, lambda _: _status(service)),
        "version": _guarded(guard, Kind.LOOK, lambda _: _version()),
    }


def register(app: Any, service: Service, guard: Guard) -> None:
    routes.add(app, lambda: endpoints(service, guard))


def _guarded(guard: Guard, kind: Kind, answer: Callable[[Request], Awaitable[Payload]]) -> Handler:
    from starlette.responses import JSONResponse

    async def endpoint(request: Request) -> Response:
        headers = {"Cache-Control": "no-store"}
        try:
            _pass(guard.refusal(kind, request))
            return JSONResponse(await answer(request), headers=headers)
        except BadRequest as bad:
            if bad.refusal.status == UNAUTHORIZED:
                headers["WWW-Authenticate"] = "Basic"
            return JSONResponse(_error("refused", str(bad)), bad.refusal.status, headers=headers)
        except StylusError as error:
            status, code = next(((status, code) for kind, status, code in _CODES if isinstance(error, kind)), (500, "failed"))
            return JSONResponse(_error(code, str(error)), status, headers=headers)

    return endpoint


async def _plan(request: Request, service: Service, guard: Guard) -> Payload:
    said = await _body(request)
    foreign = next((name for name in _NOT_FOR_CALLERS if name in said), None)
    if foreign is not None:
        raise InvalidInput(f"{foreign!r} is the WebUI's own to say; please leave it out.")
    payload = await asyncio.to_thread(service.prepare, said)
    _pass(guard.refusal(kind_of(payload), request))
    return await asyncio.to_thread(lambda: EngineClient(service.process()).plan(payload, service.deadline_s(), bool))


async def _status(service: Service) -> Payload:
    return await asyncio.to_thread(lambda: status(service.process()))


async def _version() -> Payload:
    return {"version": __version__}


def status(process: EngineProcess) -> Payload:
    """What is known without starting anything; the catalogue's figures when there is an engine to ask."""
    report = process.report()
    engine = asdict(report) | {"state": report.state.value}
    said: Payload = {"version": __version__, "engine": engine, "catalogue": None, "capabilities": None, "notes": []}
    if answers(process):
        try:
            told = EngineClient(process).status(_STATUS_S)
        except StylusError as error:
            said["notes"] = [{"code": "unavailable", "text": str(error)}]
        else:
            said |= {name: told.get(name) for name in ("catalogue", "capabilities", "encoder", "leaves_the_machine", "notes")}
    return said


async def _body(request: Request) -> Payload:
    """Read piece by piece: what is stated as its length may not be true."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > _LARGEST_BODY:
            raise BadRequest(Refusal(_TOO_LARGE, f"A request has at most {_LARGEST_BODY // 2**20} MiB."))
    try:
        said = json.loads(bytes(data) or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The request's body is not JSON.") from error
    if not isinstance(said, Mapping):
        raise InvalidInput("A request is a JSON object.")
    return dict(said)


def _pass(refusal: Refusal | None) -> None:
    if refusal is not None:
        logger.info("refused: %s", refusal.sentence)
        raise BadRequest(refusal)


def _error(code: str, sentence: str) -> Payload:
    return {"error": {"code": code, "message": sentence}}
