"""The page's actions on the catalogue, the engine and keys, and their route."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput, StylusError
from stylus_ext.host import compat
from stylus_ext.host.engine.client import EngineClient, answers
from stylus_ext.host.guard import Guard, GuardRefusal, RequestKind
from stylus_ext.host.pictures import picture_of, pictured
from stylus_ext.host.web.action import Action, ActionRequest
from stylus_ext.host.web.responses import BadRequest, File, Handler, Payload, admit, body, guarded

if TYPE_CHECKING:
    from starlette.requests import Request

    from stylus_ext.host.engine.supervisor import EngineProcess


_LARGEST_PICTURE = 16 * 1024 * 1024
_PICTURE_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def _browse(request: ActionRequest) -> Payload:
    """List entries, each with whether it has a picture."""
    answer = request.engine("POST", "/v1/browse", request.payload)
    files = compat.listed_files()
    for entry in answer["entries"]:
        entry["picture"] = pictured(files, entry)
    return answer


def _show(request: ActionRequest) -> Payload:
    answer = request.engine("POST", "/v1/show", request.payload)
    answer["entry"]["picture"] = pictured(compat.listed_files(), answer["entry"])
    return answer


def _picture(request: ActionRequest) -> File:
    """A picture beside a listed LoRA, typed by its content; else the engine's thumbnail."""
    path, key = (
        picture_of(compat.listed_files(), request.payload.get("stem")),
        request.payload.get("key"),
    )
    if path is None and isinstance(key, str) and key:
        thumbnail = request.engine("POST", "/v1/picture", {"key": key})
        return File(base64.b64decode(thumbnail["data"]), str(thumbnail["type"]))
    try:
        data = (
            path.read_bytes()
            if path is not None and path.stat().st_size <= _LARGEST_PICTURE
            else b""
        )
    except OSError:
        data = b""
    kind = _kind_of(data)
    if not kind:
        raise InvalidInput("There is no picture of this LoRA.")
    return File(data, kind)


def _kind_of(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _PICTURE_TYPES.items() if data.startswith(start)), "")


def _passed(path: str) -> Any:
    def run(request: ActionRequest) -> Payload:
        return request.engine("POST", f"/v1/{path}", request.payload)

    return run


CATALOGUE_ACTIONS: Mapping[str, Action] = {
    "browse": Action(_browse),
    "overview": Action(_passed("overview")),
    "storage": Action(_passed("storage")),
    "show": Action(_show),
    "edit": Action(_passed("edit"), RequestKind.CHANGE),
    "picture": Action(_picture),
}


_STATUS_S = 5.0


def _status(request: ActionRequest) -> Payload:
    """The engine's state and, once it answers, its status; starts nothing."""
    report = request.process.report()
    engine_status: dict[str, Any] | None = None
    trouble = ""
    if answers(request.process):
        try:
            engine_status = EngineClient(request.process).status(_STATUS_S)
        except StylusError as error:
            trouble = str(error)
    engine = asdict(report) | {"state": report.state.value, "shared": request.process.remote}
    return {
        "version": __version__,
        "engine": engine,
        "engine_status": engine_status,
        "trouble": trouble,
        "lora_folders": compat.lora_folders(),
    }


def _wake(request: ActionRequest) -> Payload:
    """Start the engine, as ticking the box does."""
    request.process.start()
    return _status(request)


ENGINE_ACTIONS: Mapping[str, Action] = {
    "status": Action(_status),
    "wake": Action(_wake, RequestKind.PLAN),
}


_TRYING_S = 60.0


def _keys(request: ActionRequest) -> Payload:
    return request.engine("POST", "/v1/keys", request.payload, _TRYING_S)


def _kind(payload: Payload) -> RequestKind:
    """A test request leaves the machine and may cost money."""
    if payload.get("check"):
        return RequestKind.SPEND if payload.get("service") == "chat" else RequestKind.DOWNLOAD
    return RequestKind.CHANGE if payload.get("enter") or payload.get("forget") else RequestKind.LOOK


KEY_ACTIONS: Mapping[str, Action] = {"keys": Action(_keys, kind_of=_kind)}


NAME = "ui/{name}"
_NOT_FOUND = 404


def endpoints(process: Callable[[], EngineProcess], guard: Guard) -> dict[str, Handler]:
    """The page's route; `process` is called per request, since settings change."""
    known = actions()

    async def answer(request: Request) -> Payload | File:
        name = str(request.path_params["name"])
        if name not in known:
            raise BadRequest(
                GuardRefusal(_NOT_FOUND, f"The page has nothing to ask for at ui/{name[:60]}.")
            )
        payload = await body(request)
        admit(guard.refusal(known[name].wants(payload), request))
        return await asyncio.to_thread(lambda: known[name].run(ActionRequest(payload, process())))

    return {NAME: guarded(guard, RequestKind.LOOK, answer, asks=False)}


def actions() -> Mapping[str, Action]:
    from stylus_ext.host.web import jobs, preview, recipes

    parts = (
        ENGINE_ACTIONS,
        CATALOGUE_ACTIONS,
        jobs.ACTIONS,
        KEY_ACTIONS,
        recipes.ACTIONS,
        preview.ACTIONS,
        recipes.REHEARSE_ACTIONS,
    )
    return {name: action for part in parts for name, action in part.items()}
