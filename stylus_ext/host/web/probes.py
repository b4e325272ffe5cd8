"""The page's request to measure LoRAs by pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylus_ext.core.errors import InvalidInput, Unavailable
from stylus_ext.core.family import UNKNOWN
from stylus_ext.core.probing import ProbeSettings, usual_side
from stylus_ext.host import compat
from stylus_ext.host.checkpoint import loaded_family
from stylus_ext.host.idle_work import idle_work
from stylus_ext.host.permissions import NOT_SEEN
from stylus_ext.host.planner import current_planner
from stylus_ext.host.probing import ProbeWork, finished_job, make_picture
from stylus_ext.host.web.responses import ActionRequest, Payload

NAME = "probe"
_LONG_S = 120.0
_JOB = "measure"


def start(request: ActionRequest, arguments: Mapping[str, Any]) -> Payload:
    """Measure the LoRAs of `keys`, or all of the checkpoint's family that were not measured."""
    if request.process.remote:
        raise InvalidInput(NOT_SEEN)
    family = loaded_family(current_planner().remembered).family
    if family == UNKNOWN:
        raise InvalidInput("The base model of the checkpoint is not known. Choose it in the panel.")
    settings = probe_settings(family)
    keys = arguments.get("keys")

    def ask(name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if name != _JOB:
            return request.engine("POST", f"/v1/{name}", payload, _LONG_S)
        job = request.engine("POST", f"/v1/jobs/{name}", payload)
        return finished_job(job, lambda job_id: request.engine("GET", f"/v1/jobs/{job_id}"))

    wanted = {"family": family, "keys": keys, "settings": settings.fingerprint}
    found = ask("probes", wanted)
    if found["why_not"]:
        raise Unavailable(str(found["why_not"]))
    if keys and not found["entries"]:
        raise InvalidInput("It has no file for the base model of this checkpoint.")
    loras = [row for row in found["entries"] if keys or not row["measured"]]
    work = ProbeWork(ask, settings, loras, make_picture)
    return idle_work().start(NAME, work.steps(), work.pictures or None).as_json()


def probe_settings(family: str) -> ProbeSettings:
    side = usual_side(family)
    return ProbeSettings(str(compat.option("sd_model_checkpoint", "") or ""), side, side)
