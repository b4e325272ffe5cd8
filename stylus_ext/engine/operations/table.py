"""What the engine can do, by name: a checked payload goes in, plain JSON comes out. The CLI calls
the same, with or without HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import DeadlineExceeded, InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.engine import requests
from stylus_ext.engine.operations import catalogue, plan, status
from stylus_ext.engine.operations.catalogue import BROWSE, PICTURE, browse, cards, overview, picture
from stylus_ext.engine.operations.downloads import discard, fetch
from stylus_ext.engine.operations.folders import folders
from stylus_ext.engine.operations.generation import generation, late_generation
from stylus_ext.engine.operations.recipes import (
    RECIPES,
    REHEARSE,
    VERDICT,
    recipes,
    rehearse,
    verdict,
)
from stylus_ext.engine.operations.refine import REFINE, refine
from stylus_ext.engine.operations.sources import IMPORT, identify, sync, take_in
from stylus_ext.engine.operations.status import KEYS, keys, storage
from stylus_ext.engine.requests import Schema, checked

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

_SLACK_S = 0.05


@dataclass(frozen=True, slots=True)
class Operation:
    """`long` ones are run as jobs, with progress and cancel; those `beside` wait for no other
    job.
    """

    schema: Schema
    run: Callable[[Stylus, dict[str, Any], Progress], dict[str, Any]]
    long: bool = False
    beside: bool = False
    late: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Makes the answer where a request's `deadline_s` passes before there is one."""


def perform(
    stylus: Stylus, name: str, payload: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    if name not in OPERATIONS:
        raise InvalidInput(f"There is no operation {name!r}; there are {', '.join(OPERATIONS)}.")
    operation = OPERATIONS[name]
    return operation.run(stylus, checked(payload, operation.schema), progress)


def patience(name: str, payload: Any) -> float | None:
    """How long the answer may take, for a request with a deadline."""
    if OPERATIONS[name].late is None or not isinstance(payload, Mapping):
        return None
    wanted = payload.get("deadline_s")
    usable = isinstance(wanted, (int, float)) and 0 <= wanted <= requests.LONGEST_S
    return wanted + _SLACK_S if usable and wanted is not None else None


def late_answer(name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    operation = OPERATIONS[name]
    if operation.late is None:
        raise DeadlineExceeded(f"The time for {name} was over.")
    return operation.late(checked(payload, operation.schema))


def _status(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    return status.report(stylus, OPERATIONS)


OPERATIONS: Mapping[str, Operation] = {
    "generation": Operation(requests.GENERATION, generation, late=late_generation),
    "folders": Operation(requests.FOLDERS, folders),
    "plan": Operation(requests.PLAN, plan.plan, late=plan.late_plan),
    "search": Operation(requests.SEARCH, catalogue.search),
    "browse": Operation(BROWSE, browse),
    "overview": Operation({}, overview),
    "show": Operation(requests.SHOW, catalogue.show),
    "cards": Operation(requests.CARDS, cards),
    "picture": Operation(PICTURE, picture),
    "edit": Operation(requests.EDIT, catalogue.edit),
    "verdict": Operation(VERDICT, verdict),
    "recipes": Operation(RECIPES, recipes),
    "storage": Operation({}, storage),
    "keys": Operation(KEYS, keys),
    "rehearse": Operation(REHEARSE, rehearse, long=True, beside=True),
    "status": Operation({}, _status),
    "inventory": Operation(requests.INVENTORY, plan.inventory),
    "index": Operation(requests.INDEX, catalogue.index, long=True),
    "sync": Operation(requests.SYNC, sync, long=True),
    "identify": Operation(requests.IDENTIFY, identify, long=True),
    "refine": Operation(REFINE, refine, long=True, beside=True),
    "import": Operation(IMPORT, take_in, long=True),
    "fetch": Operation(requests.FETCH, fetch, long=True, beside=True),
    "discard": Operation(requests.DISCARD, discard, long=True, beside=True),
}
