"""All operations by name, with their input model and the services that they need.

The CLI performs them with or without HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.engine import requests
from stylus_ext.engine.operations import (
    catalogue,
    downloads,
    folders,
    generation,
    plan,
    sources,
    status,
    user_data,
)

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Long ones run as jobs; `concurrent` ones do not wait for other jobs. `late` makes the answer
    when the request's `deadline_s` passes first.
    """

    input: type[requests.OperationInput]
    run: Callable[[Stylus, Any, Progress], Answer]
    long: bool = False
    concurrent: bool = False
    late: Callable[[Any], Answer] | None = None


def perform(
    stylus: Stylus, name: str, payload: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Checks the payload and performs an operation in this process."""
    if name not in OPERATIONS:
        raise InvalidInput(f"There is no operation {name!r}; there are {', '.join(OPERATIONS)}.")
    operation = OPERATIONS[name]
    return operation.run(stylus, operation.input.model_validate(payload), progress)


OPERATIONS: Mapping[str, Operation] = {
    "generation": Operation(
        requests.GenerationInput, generation.generation, late=generation.late_generation
    ),
    "folders": Operation(
        requests.FoldersInput,
        lambda s, request, progress: folders.folders(s.catalogue, request, progress),
    ),
    "plan": Operation(requests.PlanInput, plan.plan, late=plan.late_plan),
    "search": Operation(
        requests.SearchInput, lambda s, request, _: catalogue.search(s.catalogue, request)
    ),
    "browse": Operation(
        requests.BrowseInput,
        lambda s, request, _: catalogue.browse(s.catalogue, s.pictures, request),
    ),
    "overview": Operation(requests.NoInput, lambda s, _, __: catalogue.overview(s.catalogue)),
    "show": Operation(
        requests.KeyInput, lambda s, request, _: catalogue.show(s.catalogue, s.pictures, request)
    ),
    "cards": Operation(
        requests.CardsInput,
        lambda s, request, _: catalogue.cards(s.catalogue, s.pictures, request),
    ),
    "picture": Operation(
        requests.KeyInput,
        lambda s, request, progress: catalogue.picture(s.catalogue, s.pictures, request, progress),
    ),
    "edit": Operation(
        requests.EditInput,
        lambda s, request, progress: catalogue.edit(s.catalogue, s.pictures, request, progress),
    ),
    "verdict": Operation(
        requests.VerdictInput,
        lambda s, request, _: user_data.verdict(s.catalogue, s.user_data, request),
    ),
    "recipes": Operation(
        requests.RecipesInput,
        lambda s, request, _: user_data.recipes(s.catalogue, s.user_data, request),
    ),
    "storage": Operation(
        requests.NoInput, lambda s, _, __: downloads.storage(s.catalogue, s.downloads)
    ),
    "keys": Operation(requests.KeysInput, lambda s, request, _: status.keys(s.services, request)),
    "rehearse": Operation(
        requests.RehearseInput,
        lambda s, request, progress: user_data.rehearse(
            s.catalogue, s.planner, s.settings, request, progress
        ),
        long=True,
        concurrent=True,
    ),
    "status": Operation(requests.NoInput, lambda s, _, __: status.status(s, OPERATIONS)),
    "inventory": Operation(
        requests.InventoryInput, lambda s, request, _: plan.inventory(s.catalogue, request)
    ),
    "index": Operation(
        requests.IndexInput,
        lambda s, request, progress: catalogue.index(s.catalogue, s.warm, request, progress),
        long=True,
    ),
    "sync": Operation(
        requests.SyncInput,
        lambda s, request, progress: sources.sync(
            s.catalogue, s.services, s.warm, request, progress
        ),
        long=True,
    ),
    "identify": Operation(
        requests.IdentifyInput,
        lambda s, request, progress: sources.identify(
            s.catalogue, s.services, s.warm, request, progress
        ),
        long=True,
    ),
    "refine": Operation(
        requests.RefineInput,
        lambda s, request, progress: sources.refine(
            s.catalogue, s.services.language_model, s.warm, request, progress
        ),
        long=True,
        concurrent=True,
    ),
    "import": Operation(
        requests.ImportInput,
        lambda s, request, progress: sources.import_catalogue(
            s.catalogue, s.settings.encoder, s.warm, request, progress
        ),
        long=True,
    ),
    "fetch": Operation(
        requests.FetchInput,
        lambda s, request, progress: downloads.fetch(s.catalogue, s.downloads, request, progress),
        long=True,
        concurrent=True,
    ),
    "discard": Operation(
        requests.DiscardInput,
        lambda s, request, progress: downloads.discard(s.catalogue, s.downloads, request, progress),
        long=True,
        concurrent=True,
    ),
}
