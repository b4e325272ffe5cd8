"""The REST routes on the WebUI's own app: /stylus/v1/plan, /stylus/v1/status and
/stylus/v1/version, behind the guard.

Plain requests and JSON: no models, since the hosts' fastapi and pydantic differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput, StylusError
from stylus_ext.host.engine.client import EngineClient, answers
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.guard import RERANK, Guard, RequestKind, composer_of, kind_of, named
from stylus_ext.host.permissions import RULES, read
from stylus_ext.host.planner import plan_for_caller
from stylus_ext.host.web import responses
from stylus_ext.host.web.responses import Handler, Payload, admit, body, guarded

if TYPE_CHECKING:
    from starlette.requests import Request


PREFIX = responses.PREFIX
_STATUS_S = 2.0
# The host's own files and the engine's own settings are no caller's: what it needs, the host adds.
_NOT_FOR_CALLERS = ("lora_dirs", "stems", "deadline_s")


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes need from the host, asked at each request, since settings change: the engine
    in use, how a caller's

    payload becomes the engine's (settings, LoRA folders, listed files), how long a plan may take,
    where its LoRAs are, and who hears of a fetch that was begun.
    """

    process: Callable[[], EngineProcess]
    prepare: Callable[[Payload], Payload] = dict
    deadline_s: Callable[[], float] = lambda: 20.0
    folders: Callable[[], list[str]] = list
    begun: Callable[[str], object] = str
    chat_s: Callable[[], float] = lambda: 20.0


def endpoints(service: Service, guard: Guard) -> dict[str, Handler]:
    """What answers at each of the routes, the page's own among them."""
    from stylus_ext.host.web import jobs, page

    return {
        **page.endpoints(service.process, guard),
        **jobs.endpoints(service, guard),
        "plan": guarded(guard, RequestKind.PLAN, lambda request: _plan(request, service, guard)),
        "status": guarded(guard, RequestKind.LOOK, lambda _: _status(service)),
        "version": guarded(guard, RequestKind.LOOK, lambda _: _version()),
    }


def register(app: Any, service: Service, guard: Guard) -> None:
    responses.add(app, lambda: endpoints(service, guard))


async def _plan(request: Request, service: Service, guard: Guard) -> Payload:
    fields = await body(request)
    foreign = next((name for name in _NOT_FOR_CALLERS if name in fields), None)
    if foreign is not None:
        raise InvalidInput(f"{foreign!r} is the WebUI's own to say; please leave it out.")
    payload = await asyncio.to_thread(service.prepare, fields)
    admit(guard.refusal(await asyncio.to_thread(lambda: _kind(payload, service)), request))
    seconds = service.deadline_s() + (
        service.chat_s() if composer_of(payload) not in (None, RULES) else 0.0
    )
    return await asyncio.to_thread(lambda: plan_for_caller(service.process(), payload, seconds))


def _kind(payload: Payload, service: Service) -> RequestKind:
    """What a plan costs, only the engine knows; it is not asked for the rules' plans."""
    if composer_of(payload) in (None, RULES) and named(payload, "policy") != RERANK:
        return kind_of(payload)
    offer = read(EngineClient(service.process()).status(_STATUS_S))
    return kind_of(payload, offer.free, offer.rerank_free)


async def _status(service: Service) -> Payload:
    return await asyncio.to_thread(lambda: status(service.process()))


async def _version() -> Payload:
    return {"version": __version__}


def status(process: EngineProcess) -> Payload:
    """What is known without starting anything; the catalogue's figures when there is an engine to
    ask.
    """
    report = process.report()
    engine = asdict(report) | {"state": report.state.value}
    answer: Payload = {
        "version": __version__,
        "engine": engine,
        "catalogue": None,
        "capabilities": None,
        "notes": [],
    }
    if answers(process):
        try:
            engine_status = EngineClient(process).status(_STATUS_S)
        except StylusError as error:
            answer["notes"] = [{"code": "unavailable", "text": str(error)}]
        else:
            answer |= {
                name: engine_status.get(name)
                for name in ("catalogue", "capabilities", "encoder", "leaves_the_machine", "notes")
            }
    return answer
