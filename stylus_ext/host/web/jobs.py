"""Jobs for the page and the API: list, progress, start, cancel; folders are the host's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host import compat, other_adapters
from stylus_ext.host.engine.client import EngineClient
from stylus_ext.host.guard import JOBS, Guard, RequestKind, kind_of_job
from stylus_ext.host.idle_work import idle_work
from stylus_ext.host.permissions import NOT_SEEN, SHARED
from stylus_ext.host.planner import current_planner
from stylus_ext.host.web import captions, probes
from stylus_ext.host.web.responses import (
    Action,
    ActionRequest,
    Handler,
    Payload,
    admit,
    body,
    guarded,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from stylus_ext.host.web.api import Service

_ID = re.compile("[0-9a-f]{1,64}")
_OUTPUTS = ("outdir_samples", "outdir_txt2img_samples", "outdir_img2img_samples", "outdir_save")
_FOLDERS = ("lora_dirs", "embedding_dirs", "hypernetwork_dirs")
_NEEDS_FOLDERS = {"index": NOT_SEEN, "identify": NOT_SEEN, "fetch": SHARED}
"""Jobs on the host's LoRA folders, with the message for a shared engine, which sees none."""


def picture_folders() -> list[str]:
    """Existing output folders of the host, from its four options."""
    folders = compat.existing_folders(compat.option(name, "") for name in _OUTPUTS)
    return list(dict.fromkeys(folders))


def _start(request: ActionRequest) -> Payload:
    name, arguments = _name(request.payload), _arguments(request.payload)
    if name == captions.NAME:
        return captions.start(request)
    if name == probes.NAME:
        return probes.start(request, arguments)
    if request.process.remote and name in _NEEDS_FOLDERS:
        raise InvalidInput(_NEEDS_FOLDERS[name])
    payload = {
        field: value for field, value in arguments.items() if field not in (*_FOLDERS, "learn")
    }
    if name == "index":
        payload = {"learn": picture_folders() if arguments.get("learn") else []}
    if name in _NEEDS_FOLDERS:
        payload |= {"lora_dirs": compat.lora_folders(), **other_adapters.folders()}
    job = request.engine("POST", f"/v1/jobs/{name}", payload)
    if name == "fetch":  # the host lists the new files when they are there
        current_planner().downloads.begun.add(str(job["id"]))
    return job


def _list(request: ActionRequest) -> Payload:
    """The page asks all the time: an engine that is not running has no jobs, and stays so."""
    jobs = [] if request.is_resting else request.engine("GET", "/v1/jobs")["jobs"]
    return {"jobs": [*jobs, *(work.as_json() for work in idle_work().all())]}


def _is_idle_work(job_id: object) -> bool:
    return any(work.id == job_id for work in idle_work().all())


def _job(request: ActionRequest) -> Payload:
    job_id = request.payload.get("id")
    if _is_idle_work(job_id):
        return idle_work().get(str(job_id)).as_json()
    return request.running_engine("GET", _path(job_id))


def _cancel(request: ActionRequest) -> Payload:
    job_id = request.payload.get("id")
    if _is_idle_work(job_id):
        return idle_work().cancel(str(job_id)).as_json()
    return request.engine("POST", _path(job_id, "/cancel"), {})


def _arguments(payload: Payload) -> Mapping[str, Any]:
    arguments = payload.get("payload") or {}
    if not isinstance(arguments, Mapping):
        raise InvalidInput("A job's payload must be an object.")
    return arguments


def _name(payload: Payload) -> str:
    name = payload.get("name")
    if not isinstance(name, str) or name not in JOBS:
        raise InvalidInput(f"The page starts {', '.join(JOBS)}.")
    return name


def _path(job_id: object, action: str = "") -> str:
    """The engine's path of a job; its id is checked, since it becomes part of a URL."""
    if not isinstance(job_id, str) or not _ID.fullmatch(job_id):
        raise InvalidInput("That is no number of a job; GET /stylus/v1/jobs lists them.")
    return f"/v1/jobs/{job_id}{action}"


ACTIONS: Mapping[str, Action] = {
    "jobs": Action(_list),
    "job": Action(_job),
    "cancel": Action(_cancel, RequestKind.CHANGE),
    **captions.ACTIONS,
    "start": Action(
        _start, kind_of=lambda payload: kind_of_job(_name(payload), _arguments(payload))
    ),
}


def endpoints(service: Service, guard: Guard) -> dict[str, Handler]:
    async def ask(method: str, path: str, payload: object = None) -> Payload:
        """Ask the engine, starting it if needed."""
        return await asyncio.to_thread(
            lambda: EngineClient(service.process()).ask(method, path, payload, service.deadline_s())
        )

    def start(name: str, kind: RequestKind) -> Handler:
        async def answer(request: Request) -> Payload:
            payload = await body(request)
            admit(guard.refusal(kind_of_job(name, payload), request))
            if name in _NEEDS_FOLDERS:
                foreign = next((field for field in _FOLDERS if field in payload), None)
                if foreign is not None:
                    raise InvalidInput(
                        f"{foreign!r} is the WebUI's own to say; please leave it out."
                    )
                if service.process().remote:
                    raise InvalidInput(_NEEDS_FOLDERS[name])
                payload |= {"lora_dirs": service.folders(), **other_adapters.folders()}
            job = await ask("POST", f"/v1/jobs/{name}", payload)
            if name == "fetch":
                service.begun(str(job["id"]))
            return job

        return guarded(guard, kind, answer)

    def job(request: Request) -> Any:
        return ask("GET", _path(request.path_params["job"]))

    def cancel(request: Request) -> Any:
        return ask("POST", _path(request.path_params["job"], "/cancel"), {})

    return {
        "fetch": start("fetch", RequestKind.LOOK),  # a dry run needs no more
        "catalogue/sync": start("sync", JOBS["sync"]),
        "catalogue/identify": start("identify", JOBS["identify"]),
        "jobs": guarded(guard, RequestKind.LOOK, lambda _: ask("GET", "/v1/jobs")),
        "jobs/{job}": guarded(guard, RequestKind.LOOK, job),
        "jobs/{job}/cancel": guarded(guard, RequestKind.CHANGE, cancel),
    }
