"""Jobs for the page and the API: list, progress, start, cancel; folders are the host's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host import compat
from stylus_ext.host.engine.client import EngineClient
from stylus_ext.host.guard import JOBS, Guard, RequestKind, kind_of_job
from stylus_ext.host.permissions import NOT_SEEN, SHARED
from stylus_ext.host.web.action import Action, ActionRequest
from stylus_ext.host.web.responses import Handler, Payload, admit, body, guarded

if TYPE_CHECKING:
    from starlette.requests import Request

    from stylus_ext.host.web.api import Service


_ID = re.compile("[0-9a-f]{1,64}")
_PICTURES = ("outdir_samples", "outdir_txt2img_samples", "outdir_img2img_samples", "outdir_save")
_HERE = ("index", "identify", "fetch")


def _index(arguments: Payload) -> Payload:
    learn = [folder for folder in picture_folders() if arguments.get("learn")]
    return {"lora_dirs": compat.lora_folders(), "learn": learn}


def _sync(arguments: Payload) -> Payload:
    return {name: value for name, value in arguments.items() if name not in ("lora_dirs", "learn")}


def _with_folders(arguments: Payload) -> Payload:
    return {**_sync(arguments), "lora_dirs": compat.lora_folders()}


_STARTS: Mapping[str, Callable[[Payload], Payload]] = {
    "index": _index,
    "sync": _sync,
    "identify": _with_folders,
    "fetch": _with_folders,
    "refine": _sync,
    "discard": _sync,
}


def picture_folders() -> list[str]:
    """Existing output folders of the host, from its four options."""
    folders = [compat.option(name, "") for name in _PICTURES]
    return list(
        dict.fromkeys(
            str(Path(folder).absolute()) for folder in folders if folder and Path(folder).is_dir()
        )
    )


def _jobs(request: ActionRequest) -> Payload:
    return request.engine("GET", "/v1/jobs")


def _job_action(request: ActionRequest) -> Payload:
    return request.engine("GET", f"/v1/jobs/{_id(request.payload)}")


def _cancel(request: ActionRequest) -> Payload:
    return request.engine("POST", f"/v1/jobs/{_id(request.payload)}/cancel", {})


def _start(request: ActionRequest) -> Payload:
    name, arguments = _name(request.payload), _arguments(request.payload)
    if request.process.remote and name in _HERE:
        raise InvalidInput(SHARED if name == "fetch" else NOT_SEEN)
    job = request.engine("POST", f"/v1/jobs/{name}", _STARTS[name](dict(arguments)))
    if name == "fetch":
        from stylus_ext.host.planner_registry import current_planner

        current_planner().downloads.begun(
            str(job["id"])
        )  # the host is told of the new file when it is there
    return job


def _kind(payload: Payload) -> RequestKind:
    return kind_of_job(_name(payload), _arguments(payload))


def _arguments(payload: Payload) -> Mapping[str, object]:
    arguments = payload.get("payload") or {}
    if not isinstance(arguments, Mapping):
        raise InvalidInput("What a job is given is an object.")
    return arguments


def _name(payload: Payload) -> str:
    name = payload.get("name")
    if not isinstance(name, str) or name not in _STARTS:
        raise InvalidInput(f"The page starts {', '.join(_STARTS)}.")
    return name


def _id(payload: Payload) -> str:
    job_id = payload.get("id")
    if not isinstance(job_id, str) or not _ID.fullmatch(job_id):
        raise InvalidInput("A job has a number, in letters and digits.")
    return job_id


ACTIONS: Mapping[str, Action] = {
    "jobs": Action(_jobs),
    "job": Action(_job_action),
    "cancel": Action(_cancel, RequestKind.CHANGE),
    "start": Action(_start, kind_of=_kind),
}


_JOB = re.compile(r"[0-9a-f]{1,64}")


def endpoints(service: Service, guard: Guard) -> dict[str, Handler]:
    planner = _Counter(service)
    return {
        "fetch": guarded(guard, RequestKind.LOOK, lambda request: planner.fetch(request, guard)),
        "catalogue/sync": guarded(guard, JOBS["sync"], planner.sync),
        "catalogue/identify": guarded(guard, JOBS["identify"], planner.identify),
        "jobs": guarded(guard, RequestKind.LOOK, lambda _: planner.ask("GET", "/v1/jobs")),
        "jobs/{job}": guarded(
            guard,
            RequestKind.LOOK,
            lambda request: planner.ask("GET", f"/v1/jobs/{_job_id(request)}"),
        ),
        "jobs/{job}/cancel": guarded(
            guard,
            RequestKind.CHANGE,
            lambda request: planner.ask("POST", f"/v1/jobs/{_job_id(request)}/cancel", {}),
        ),
    }


@dataclass(frozen=True, slots=True)
class _Counter:
    service: Service

    async def ask(self, method: str, path: str, payload: object = None) -> Payload:
        """Ask the engine, starting it if needed."""
        service = self.service
        return await asyncio.to_thread(
            lambda: EngineClient(service.process()).ask(method, path, payload, service.deadline_s())
        )

    async def fetch(self, request: Request, guard: Guard) -> Payload:
        payload = await body(request)
        admit(guard.refusal(kind_of_job("fetch", payload), request))
        job = await self.ask("POST", "/v1/jobs/fetch", self._with_folders(payload, SHARED))
        self.service.begun(str(job["id"]))
        return job

    async def sync(self, request: Request) -> Payload:
        return await self.ask("POST", "/v1/jobs/sync", await body(request))

    async def identify(self, request: Request) -> Payload:
        return await self.ask(
            "POST", "/v1/jobs/identify", self._with_folders(await body(request), NOT_SEEN)
        )

    def _with_folders(self, arguments: Payload, shared: str) -> Payload:
        """Add the host's folders; `shared` is the message for a remote engine."""
        if "lora_dirs" in arguments:
            raise InvalidInput("'lora_dirs' is the WebUI's own to say; please leave it out.")
        if self.service.process().remote:
            raise InvalidInput(shared)
        return {**arguments, "lora_dirs": self.service.folders()}


def _job_id(request: Request) -> str:
    """The checked job id, which becomes part of a URL."""
    number = str(request.path_params["job"])
    if not _JOB.fullmatch(number):
        raise InvalidInput("That is no number of a job; GET /stylus/v1/jobs lists them.")
    return number
