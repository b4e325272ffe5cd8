"""The page's offer to describe LoRAs from their pictures, and the work that it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host import interrogators
from stylus_ext.host.captioning import Captioning
from stylus_ext.host.idle_work import idle_work
from stylus_ext.host.permissions import NOT_SEEN
from stylus_ext.host.web.responses import Action, ActionRequest, Payload

NAME = "caption"
_TARGETS_S = 120.0


def start(request: ActionRequest) -> Payload:
    work = _captioning(request)
    total = int(work.targets(most=0)["pictures"])
    return idle_work().start(NAME, work.steps(), total or None).as_json()


def _offer(request: ActionRequest) -> Payload:
    """The interrogators of this host and what they would download; with `count` what is to do."""
    found = [] if request.process.remote else interrogators.available()
    offer: Payload = {
        "interrogators": [
            {
                "title": interrogator.title,
                "download": None if weights.is_on_disk() else _download(weights),
            }
            for interrogator in found
            for weights in (interrogator.weights,)
        ]
    }
    if request.payload.get("count"):
        counts = _captioning(request).targets(most=0)
        names = ("adapters", "pictures", "known", "pictureless")
        offer["counts"] = {name: counts[name] for name in names}
    return offer


def _download(weights: interrogators.Weights) -> Payload:
    return {"mb": weights.mb, "site": weights.site, "also": weights.also}


def _captioning(request: ActionRequest) -> Captioning:
    if request.process.remote:
        raise InvalidInput(NOT_SEEN)
    found = interrogators.available()
    if not found:
        raise InvalidInput("This WebUI has no interrogator, so it cannot describe pictures.")

    def ask(operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return request.engine("POST", f"/v1/{operation}", payload, _TARGETS_S)

    return Captioning(ask, found)


ACTIONS: Mapping[str, Action] = {"captions": Action(_offer)}
