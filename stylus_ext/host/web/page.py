"""The page's route, and its actions on the catalogue, the engine and keys."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stylus_ext import __version__
from stylus_ext.core.errors import InvalidInput
from stylus_ext.host import compat, options
from stylus_ext.host.engine.client import known_status
from stylus_ext.host.guard import Guard, GuardRefusal, RequestKind
from stylus_ext.host.web import own_pictures
from stylus_ext.host.web.responses import (
    Action,
    ActionRequest,
    BadRequest,
    File,
    Handler,
    Payload,
    admit,
    body,
    guarded,
    passed,
    shown,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from stylus_ext.host.engine.supervisor import EngineProcess

NAME = "ui/{name}"
_LARGEST_PICTURE = 16 * 1024 * 1024
_PICTURE_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_STATUS_S = 5.0
_WAKE_S = 1.0
_KEY_CHECK_S = 60.0
_NOT_FOUND = 404


def _browse(request: ActionRequest) -> Payload:
    return _with_pictures(request.engine("POST", "/v1/browse", request.payload))


def _with_pictures(answer: Payload) -> Payload:
    """Add to each entry whether it has a picture."""
    files = compat.listed_files()
    for entry in answer["entries"]:
        entry["picture"] = compat.has_picture(files, entry)
    return answer


def _similar(request: ActionRequest) -> Payload:
    return _with_pictures(request.engine("POST", "/v1/similar", request.payload))


def _show(request: ActionRequest) -> Payload:
    return _with_details(request.engine("POST", "/v1/show", request.payload))


def _edit(request: ActionRequest) -> Payload:
    return _with_details(request.engine("POST", "/v1/edit", request.payload))


def _with_details(answer: Payload) -> Payload:
    answer["entry"]["picture"] = compat.has_picture(compat.listed_files(), answer["entry"])
    own_pictures.with_own_pictures(answer["entry"])
    return answer


def _picture(request: ActionRequest) -> File:
    """A picture beside a listed LoRA, typed by its content; else the engine's thumbnail."""
    path = compat.picture_path(compat.listed_files(), request.payload.get("stem"))
    key = request.payload.get("key")
    if path is None and isinstance(key, str) and key:
        thumbnail = request.engine("POST", "/v1/picture", {"key": key})
        return File(base64.b64decode(thumbnail["data"]), str(thumbnail["type"]))
    try:
        small = path is not None and path.stat().st_size <= _LARGEST_PICTURE
        data = path.read_bytes() if path is not None and small else b""
    except OSError:
        data = b""
    kind = _picture_type(data)
    if not kind:
        raise InvalidInput("There is no picture of this LoRA.")
    return File(data, kind)


def _picture_type(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _PICTURE_TYPES.items() if data.startswith(start)), "")


def _status(request: ActionRequest) -> Payload:
    """The engine's state and, once it answers, its status; starts nothing."""
    report, status, error = known_status(request.process, _STATUS_S)
    return {
        "version": __version__,
        "engine": {**report, "shared": request.process.remote},
        "engine_status": status,
        "trouble": error,
        "lora_folders": compat.lora_folders(),
        "setting_problems": options.problems(),
    }


def _wake(request: ActionRequest) -> Payload:
    """Start the engine, as ticking the box does; the answer no longer calls it stopped."""
    request.process.start()
    request.process.wait_ready(_WAKE_S, bool)
    return _status(request)


def _key_kind(payload: Payload) -> RequestKind:
    """A test request leaves the machine and may cost money."""
    if payload.get("check"):
        return RequestKind.SPEND if payload.get("service") == "chat" else RequestKind.DOWNLOAD
    return RequestKind.CHANGE if payload.get("enter") or payload.get("forget") else RequestKind.LOOK


def _keys(request: ActionRequest) -> Payload:
    """Keys are listed without starting an engine; a change or a test starts one."""
    act = passed if request.payload.get("service") else shown
    return act("keys", _KEY_CHECK_S)(request)


def _consent_kind(payload: Payload) -> RequestKind:
    """Consent makes the engine send requests to other machines."""
    if payload.get("allow"):
        return RequestKind.DOWNLOAD
    return RequestKind.LOOK if payload.get("allow") is None else RequestKind.CHANGE


ACTIONS: Mapping[str, Action] = {
    "status": Action(_status),
    "wake": Action(_wake, RequestKind.PLAN),
    "browse": Action(_browse),
    "overview": Action(shown("overview")),
    "first_steps": Action(
        shown("first_steps"),
        kind_of=lambda payload: RequestKind.CHANGE if "skip" in payload else RequestKind.LOOK,
    ),
    "storage": Action(shown("storage")),
    "show": Action(_show),
    "similar": Action(_similar),
    "edit": Action(_edit, RequestKind.CHANGE),
    "mark_all": Action(passed("mark"), RequestKind.CHANGE),
    "picture": Action(_picture),
    "card_pictures": Action(passed("card_pictures"), kind_of=_consent_kind),
    "own_picture": Action(own_pictures.thumbnail),
    "keys": Action(_keys, kind_of=_key_kind),
}


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

    return {**ACTIONS, **jobs.ACTIONS, **recipes.ACTIONS, **preview.ACTIONS}
