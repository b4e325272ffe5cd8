"""REST routes on the WebUI's own app, below /stylus/v1 and behind the guard.

Plain requests and JSON: no models, since the hosts' fastapi and pydantic differ.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput
from stylus_ext.host.engine.client import EngineClient, known_status
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.guard import RERANK, Guard, RequestKind, composer_of, kind_of, named
from stylus_ext.host.permissions import RULES, read_offer
from stylus_ext.host.planner import retried
from stylus_ext.host.web import responses
from stylus_ext.host.web.responses import Handler, Payload, admit, body, guarded

if TYPE_CHECKING:
    from starlette.requests import Request

PREFIX = responses.PREFIX
_STATUS_S = 2.0
_HOST_FIELDS = (
    "lora_dirs",
    "embedding_dirs",
    "hypernetwork_dirs",
    "stems",
    "embeddings",
    "hypernetworks",
    "deadline_s",
)
_STATUS_FIELDS = ("catalogue", "capabilities", "encoder", "leaves_the_machine", "notes")


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes need from the host, read at each request, since settings change.

    `prepare` adds the WebUI's settings and LoRAs to a caller's payload; `begun` gets the id of a
    fetch; `llm_s` is added to `deadline_s` for a language model; `family` is the checkpoint's.
    """

    process: Callable[[], EngineProcess]
    prepare: Callable[[Payload], Payload] = dict
    deadline_s: Callable[[], float] = lambda: 20.0
    folders: Callable[[], list[str]] = list
    begun: Callable[[str], object] = str
    llm_s: Callable[[], float] = lambda: 20.0
    family: Callable[[], str] = str


def endpoints(service: Service, guard: Guard) -> dict[str, Handler]:
    """The handler of each route, those of the page included."""
    from stylus_ext.host.web import jobs, page

    async def version(_: Request) -> Payload:
        return {"version": __version__}

    return {
        **page.endpoints(service.process, guard),
        **jobs.endpoints(service, guard),
        "plan": guarded(guard, RequestKind.PLAN, lambda request: _plan(request, service, guard)),
        "status": guarded(guard, RequestKind.LOOK, lambda _: asyncio.to_thread(_status, service)),
        "version": guarded(guard, RequestKind.LOOK, version),
    }


def register(app: Any, service: Service, guard: Guard) -> None:
    responses.add(app, lambda: endpoints(service, guard))


async def _plan(request: Request, service: Service, guard: Guard) -> Payload:
    fields = await body(request)
    foreign = next((name for name in _HOST_FIELDS if name in fields), None)
    if foreign is not None:
        raise InvalidInput(f"{foreign!r} is the WebUI's own to say; please leave it out.")
    payload = await asyncio.to_thread(service.prepare, fields)
    admit(guard.refusal(await asyncio.to_thread(_kind, payload, service), request))
    rules = composer_of(payload) in (None, RULES)
    seconds = service.deadline_s() + (0.0 if rules else service.llm_s())
    return await asyncio.to_thread(lambda: plan_for_caller(service.process(), payload, seconds))


def _kind(payload: Payload, service: Service) -> RequestKind:
    """Kind of access for a plan; the engine is asked only if it may cost money."""
    if composer_of(payload) in (None, RULES) and named(payload, "policy") != RERANK:
        return kind_of(payload)
    offer = read_offer(EngineClient(service.process()).status(_STATUS_S))
    return kind_of(payload, offer.free, offer.rerank_free)


def plan_for_caller(
    process: EngineProcess, payload: Mapping[str, Any], deadline_s: float
) -> Payload:
    """A plan for a caller of the WebUI's API, within one deadline."""
    client, until = EngineClient(process), time.monotonic() + deadline_s

    def ask(after: int) -> Payload:
        return client.plan(payload, max(0.0, until - time.monotonic()), bool, after)

    return retried(process, ask)


def _status(service: Service) -> Payload:
    report, status, error = known_status(service.process(), _STATUS_S)
    fields: Payload = {"catalogue": None, "capabilities": None, "notes": []}
    if status is not None:
        fields = {name: status.get(name) for name in _STATUS_FIELDS}
    elif error:
        fields["notes"] = [{"code": "unavailable", "text": error}]
    return {"version": __version__, "engine": report, "family": service.family(), **fields}
