"""The page's actions over long work: what runs, its progress, a new job, a stop. Folders are the
host's to say, never the page's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host import compat
from stylus_ext.host.answering import Payload
from stylus_ext.host.downloads import NOT_SEEN, SHARED
from stylus_ext.host.guard import Kind, kind_of_job
from stylus_ext.host.ui_actions import Action, Asked

_ID = re.compile("[0-9a-f]{1,64}")
_PICTURES = ("outdir_samples", "outdir_txt2img_samples", "outdir_img2img_samples", "outdir_save")
_HERE = ("index", "identify", "fetch")


def _index(said: Payload) -> Payload:
    learn = [folder for folder in picture_folders() if said.get("learn")]
    return {"lora_dirs": compat.lora_folders(), "learn": learn}


def _sync(said: Payload) -> Payload:
    return {name: value for name, value in said.items() if name not in ("lora_dirs", "learn")}


def _with_folders(said: Payload) -> Payload:
    return {**_sync(said), "lora_dirs": compat.lora_folders()}


_STARTS: Mapping[str, Callable[[Payload], Payload]] = {
    "index": _index,
    "sync": _sync,
    "identify": _with_folders,
    "fetch": _with_folders,
    "refine": _sync,
    "discard": _sync,
}


def picture_folders() -> list[str]:
    """Where the host keeps what it has made, as far as that is there; A1111's four options for it,
    which its forks have too.
    """
    stated = [compat.option(name, "") for name in _PICTURES]
    return list(
        dict.fromkeys(
            str(Path(folder).absolute()) for folder in stated if folder and Path(folder).is_dir()
        )
    )


def _jobs(asked: Asked) -> Payload:
    return asked.engine("GET", "/v1/jobs")


def _job(asked: Asked) -> Payload:
    return asked.engine("GET", f"/v1/jobs/{_id(asked.payload)}")


def _cancel(asked: Asked) -> Payload:
    return asked.engine("POST", f"/v1/jobs/{_id(asked.payload)}/cancel", {})


def _start(asked: Asked) -> Payload:
    name, said = _name(asked.payload), _given(asked.payload)
    if asked.process.remote and name in _HERE:
        raise InvalidInput(SHARED if name == "fetch" else NOT_SEEN)
    job = asked.engine("POST", f"/v1/jobs/{name}", _STARTS[name](dict(said)))
    if name == "fetch":
        from stylus_ext.host.desks import desk_now

        desk_now().downloads.begun(
            str(job["id"])
        )  # the host is told of the new file when it is there
    return job


def _kind(payload: Payload) -> Kind:
    return kind_of_job(_name(payload), _given(payload))


def _given(payload: Payload) -> Mapping[str, object]:
    said = payload.get("payload") or {}
    if not isinstance(said, Mapping):
        raise InvalidInput("What a job is given is an object.")
    return said


def _name(payload: Payload) -> str:
    name = payload.get("name")
    if not isinstance(name, str) or name not in _STARTS:
        raise InvalidInput(f"The page starts {', '.join(_STARTS)}.")
    return name


def _id(payload: Payload) -> str:
    given = payload.get("id")
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise InvalidInput("A job has a number, in letters and digits.")
    return given


ACTIONS: Mapping[str, Action] = {
    "jobs": Action(_jobs),
    "job": Action(_job),
    "cancel": Action(_cancel, Kind.CHANGE),
    "start": Action(_start, kind_of=_kind),
}
