"""The page's actions on recipes and past pictures: save, find, delete, choose, apply, rehearse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host import options
from stylus_ext.host.engine.client import EngineClient
from stylus_ext.host.engine.setup_state import EngineState
from stylus_ext.host.guard import RERANK, RequestKind
from stylus_ext.host.permissions import HYBRID, RULES
from stylus_ext.host.planner import current_planner
from stylus_ext.host.web.jobs import picture_folders
from stylus_ext.host.web.plan_payload import caller_payload
from stylus_ext.host.web.responses import Action, ActionRequest, Payload, passed

PROMPTS = 50
# A recipe is used as it was written: no cap of today's settings takes anything from it.
_AS_WRITTEN: Mapping[str, Any] = {
    "selection": {
        "per_task": 5,
        "max_styles": 5,
        "max_adapters": 10,
        "composer": RULES,
        "policy": HYBRID,
    },
    "weights": {"total_cap": 0.0, "strength": 1.0},
}

_SAME_AS_NO_ADAPTERS = frozenset({"nothing_fits", "nothing_more"})


def _recipes_kind(payload: Payload) -> RequestKind:
    changes = payload.get("keep") is not None or payload.get("forget") is not None
    return RequestKind.CHANGE if changes else RequestKind.LOOK


def _choose(request: ActionRequest) -> Payload:
    """Selection for a prompt as for a first batch; uses nothing that costs money."""
    policy = options.read_settings().selection.policy
    free = {"composer": RULES, "policy": HYBRID if policy == RERANK else policy}
    plan = _planned(request, {"settings": {"selection": free}})
    adapters = {
        pick["key"]: {
            **{name: pick[name] for name in ("key", "weight", "name")},
            "stem": pick["stem"] or "",
        }
        for pick in plan["picks"]
    }
    return {
        "family": plan["family"],
        "adapters": [adapters[key] for key in (plan["masks"] or [[]])[0]],
        "notes": [note for note in plan["notes"] if note["code"] not in _SAME_AS_NO_ADAPTERS],
    }


def _apply_recipe(request: ActionRequest) -> Payload:
    adapters = request.payload.get("adapters")
    if not isinstance(adapters, list) or not all(isinstance(row, Mapping) for row in adapters):
        raise InvalidInput("A recipe's adapters are a list.")
    keep = [
        {"key": row.get("key"), "weight": row.get("weight"), "pinned": True} for row in adapters
    ]
    fields = {"settings": dict(_AS_WRITTEN), "corrections": {"keep": keep, "only": True}}
    plan = _planned(request, fields)
    return {
        "prompt": plan["prompts"][0],
        "negative": plan["negative_prompts"][0],
        "used": [pick["key"] for pick in plan["picks"]],
        "notes": [note["text"] for note in plan["notes"]],
    }


def _planned(request: ActionRequest, fields: Payload) -> Payload:
    """The plan for the prompts of the request."""
    texts = {"prompt": _text(request, "prompt"), "negative_prompt": _text(request, "negative")}
    payload = caller_payload(current_planner(), {**texts, **fields})
    client = EngineClient(request.process)
    return dict(client.plan(payload, float(options.own("cold_s")), bool)["plan"])


def _text(request: ActionRequest, name: str) -> str:
    value = request.payload.get(name, "")
    if not isinstance(value, str):
        raise InvalidInput(f"{name!r} must be text.")
    return value


def _rehearse(request: ActionRequest) -> Payload:
    planner = current_planner()
    if planner.engine.report().state is EngineState.REMOTE:
        raise InvalidInput(
            "The shared engine does not see this WebUI's pictures; an engine of its own can"
            " rehearse with them."
        )
    folders = picture_folders()
    if not folders:
        raise InvalidInput(
            "The WebUI has no folder of pictures yet, so there are no prompts to rehearse with."
        )
    payload = {**caller_payload(planner, {}), "folders": folders, "count": PROMPTS}
    return request.engine("POST", "/v1/jobs/rehearse", payload)


def _rehearse_kind(_: Payload) -> RequestKind:
    """Composer and reranker of the settings page may cost money, fifty times."""
    return current_planner().permissions.kind(options.read_settings().selection.composer)


ACTIONS: Mapping[str, Action] = {
    "recipes": Action(passed("recipes"), kind_of=_recipes_kind),
    "choose": Action(_choose, RequestKind.PLAN),
    "apply_recipe": Action(_apply_recipe, RequestKind.PLAN),
    "rehearse": Action(_rehearse, kind_of=_rehearse_kind),
}
