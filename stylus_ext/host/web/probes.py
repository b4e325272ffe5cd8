"""The page's request to measure LoRAs by pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylus_ext.core.errors import Cancelled, InvalidInput, Unavailable
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
    listed = set(compat.listed_stems())
    entries = [row for row in found["entries"] if row["stem"] in listed]
    if keys and not entries:
        raise InvalidInput("This WebUI lists no file of it for the base model of this checkpoint.")
    loras = [row for row in entries if keys or not row["measured"]]

    def make(wanted: Mapping[str, Any]) -> bytes:
        if _checkpoint() != settings.checkpoint:
            raise Cancelled("The checkpoint was changed, so measuring stopped.")
        return make_picture(wanted)

    work = ProbeWork(ask, settings, loras, make)
    return idle_work().start(NAME, work.steps(), work.pictures or None).as_json()


def probe_settings(family: str) -> ProbeSettings:
    side = usual_side(family)
    return ProbeSettings(_checkpoint(), side, side)


def _checkpoint() -> str:
    return str(compat.option("sd_model_checkpoint", "") or "")
