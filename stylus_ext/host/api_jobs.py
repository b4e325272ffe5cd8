"""The REST routes for long work: fetching, reading Civitai's catalogue, naming files; and the jobs
that they become.

Thin passes to the engine. Which folders are the WebUI's is the WebUI's to say, and no caller's.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host.answering import Handler, Payload, admit, body, guarded
from stylus_ext.host.downloads import NOT_SEEN, SHARED
from stylus_ext.host.engine_client import EngineClient
from stylus_ext.host.guard import JOBS, Guard, Kind, kind_of_job

if TYPE_CHECKING:
    from starlette.requests import Request

    from stylus_ext.host.api import Service

_JOB = re.compile(r"[0-9a-f]{1,64}")


def endpoints(service: Service, guard: Guard) -> dict[str, Handler]:
    desk = _Counter(service)
    return {
        "fetch": guarded(guard, Kind.LOOK, lambda request: desk.fetch(request, guard)),
        "catalogue/sync": guarded(guard, JOBS["sync"], desk.sync),
        "catalogue/identify": guarded(guard, JOBS["identify"], desk.identify),
        "jobs": guarded(guard, Kind.LOOK, lambda _: desk.ask("GET", "/v1/jobs")),
        "jobs/{job}": guarded(
            guard, Kind.LOOK, lambda request: desk.ask("GET", f"/v1/jobs/{_job(request)}")
        ),
        "jobs/{job}/cancel": guarded(
            guard,
            Kind.CHANGE,
            lambda request: desk.ask("POST", f"/v1/jobs/{_job(request)}/cancel", {}),
        ),
    }


@dataclass(frozen=True, slots=True)
class _Counter:
    service: Service

    async def ask(self, method: str, path: str, payload: object = None) -> Payload:
        """An engine that rests is started first."""
        service = self.service
        return await asyncio.to_thread(
            lambda: EngineClient(service.process()).ask(method, path, payload, service.deadline_s())
        )

    async def fetch(self, request: Request, guard: Guard) -> Payload:
        said = await body(request)
        admit(guard.refusal(kind_of_job("fetch", said), request))
        job = await self.ask("POST", "/v1/jobs/fetch", self._with_folders(said, SHARED))
        self.service.begun(str(job["id"]))
        return job

    async def sync(self, request: Request) -> Payload:
        return await self.ask("POST", "/v1/jobs/sync", await body(request))

    async def identify(self, request: Request) -> Payload:
        return await self.ask(
            "POST", "/v1/jobs/identify", self._with_folders(await body(request), NOT_SEEN)
        )

    def _with_folders(self, said: Payload, shared: str) -> Payload:
        """`shared` says why an engine elsewhere is of no use."""
        if "lora_dirs" in said:
            raise InvalidInput("'lora_dirs' is the WebUI's own to say; please leave it out.")
        if self.service.process().remote:
            raise InvalidInput(shared)
        return {**said, "lora_dirs": self.service.folders()}


def _job(request: Request) -> str:
    """As the engine gives them; it becomes part of an address."""
    number = str(request.path_params["job"])
    if not _JOB.fullmatch(number):
        raise InvalidInput("That is no number of a job; GET /stylus/v1/jobs lists them.")
    return number
