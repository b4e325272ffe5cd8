"""All operations by name, with their input model and the services that they need.

The CLI performs them with or without HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.engine.first_steps import CATALOGUE, IDENTIFY, LEARN, READ, first_steps
from stylus_ext.engine.inputs import OperationInput
from stylus_ext.engine.operations import (
    captions,
    catalogue,
    downloads,
    plan,
    probes,
    sources,
    status,
    user_data,
)
from stylus_ext.engine.probe_requests import (
    KeepProbeInput,
    MeasureInput,
    ProbePictureInput,
    ProbePicturesInput,
    ProbesInput,
)
from stylus_ext.engine.requests import (
    BrowseInput,
    CaptionInput,
    CaptionTargetsInput,
    CardPicturesInput,
    CardsInput,
    DiscardInput,
    EditInput,
    FetchInput,
    FirstStepsInput,
    FoldersInput,
    GenerationInput,
    IdentifyInput,
    ImportInput,
    IndexInput,
    InventoryInput,
    KeyInput,
    KeysInput,
    MarkInput,
    NoInput,
    PlanInput,
    RecipesInput,
    RefineInput,
    RehearseInput,
    SearchInput,
    SimilarInput,
    StatusInput,
    SyncInput,
    VerdictInput,
)

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

Answer = dict[str, Any]
Run = Callable[["Stylus", Any, Progress], Answer]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Long ones run as jobs, named as the operation or by `job_name`; `concurrent` ones do not wait
    for other jobs. `late` makes the answer when the request's `deadline_s` passes first.
    """

    input: type[OperationInput]
    run: Run
    long: bool = False
    job_name: Callable[[Any], str] | None = None
    concurrent: bool = False
    late: Callable[[Any], Answer] | None = None


def _job(input_model: type[OperationInput], run: Run, *, concurrent: bool = False) -> Operation:
    return Operation(input_model, run, long=True, concurrent=concurrent)


def perform(
    stylus: Stylus, name: str, payload: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Checks the payload and performs an operation in this process."""
    if name not in OPERATIONS:
        raise InvalidInput(f"There is no operation {name!r}; there are {', '.join(OPERATIONS)}.")
    operation = OPERATIONS[name]
    return operation.run(stylus, operation.input.model_validate(payload), progress)


def _index(stylus: Stylus, request: IndexInput, progress: Progress) -> Answer:
    answer = catalogue.index(stylus.catalogue, stylus.user_data, stylus.warm, request, progress)
    if request.lora_dirs or request.others:
        stylus.first_steps.finish(READ, answer["written"])
    if request.learn:
        stylus.first_steps.finish(LEARN, answer["learned"])
    return answer


def _identify(stylus: Stylus, request: IdentifyInput, progress: Progress) -> Answer:
    answer = sources.identify(stylus.catalogue, stylus.services, stylus.warm, request, progress)
    stylus.first_steps.finish(IDENTIFY, stylus.catalogue.store.tallies.tally().unnamed)
    return answer


def _sync(stylus: Stylus, request: SyncInput, progress: Progress) -> Answer:
    answer = sources.sync(stylus.catalogue, stylus.services, stylus.warm, request, progress)
    stylus.first_steps.finish(CATALOGUE, answer["written"])
    return answer


OPERATIONS: Mapping[str, Operation] = {
    "generation": Operation(GenerationInput, plan.generation, late=plan.late_generation),
    "folders": Operation(FoldersInput, lambda s, r, p: catalogue.folders(s.catalogue, r, p)),
    "plan": Operation(PlanInput, plan.plan, late=plan.late_plan),
    "search": Operation(SearchInput, lambda s, r, _: catalogue.search(s.catalogue, r)),
    "browse": Operation(BrowseInput, lambda s, r, _: catalogue.browse(s.catalogue, s.pictures, r)),
    "overview": Operation(NoInput, lambda s, _, __: catalogue.overview(s.catalogue)),
    "show": Operation(KeyInput, lambda s, r, _: catalogue.show(s.catalogue, s.pictures, r)),
    "cards": Operation(CardsInput, lambda s, r, _: catalogue.cards(s.catalogue, s.pictures, r)),
    "picture": Operation(
        KeyInput, lambda s, r, p: catalogue.picture(s.catalogue, s.pictures, r, p)
    ),
    "edit": Operation(EditInput, lambda s, r, p: catalogue.edit(s.catalogue, s.pictures, r, p)),
    "card_pictures": Operation(
        CardPicturesInput, lambda s, r, _: catalogue.card_pictures(s.pictures, r)
    ),
    "caption_targets": Operation(
        CaptionTargetsInput,
        lambda s, r, p: captions.caption_targets(s.catalogue, s.folder, r, p),
    ),
    "caption": Operation(
        CaptionInput, lambda s, r, p: captions.caption(s.catalogue, s.folder, r, p)
    ),
    "similar": Operation(
        SimilarInput, lambda s, r, _: catalogue.similar(s.catalogue, s.pictures, r)
    ),
    "mark": Operation(MarkInput, lambda s, r, _: catalogue.mark(s.catalogue, r)),
    "verdict": Operation(
        VerdictInput, lambda s, r, _: user_data.verdict(s.catalogue, s.user_data, r)
    ),
    "recipes": Operation(
        RecipesInput, lambda s, r, _: user_data.recipes(s.catalogue, s.user_data, r)
    ),
    "storage": Operation(NoInput, lambda s, _, __: downloads.storage(s.catalogue, s.downloads)),
    "keys": Operation(KeysInput, lambda s, r, _: status.keys(s.services, r)),
    "first_steps": Operation(FirstStepsInput, lambda s, r, _: first_steps(s, r.skip)),
    "status": Operation(StatusInput, lambda s, r, _: status.status(s, OPERATIONS, r)),
    "inventory": Operation(InventoryInput, lambda s, r, _: plan.inventory(s.catalogue, r)),
    "probes": Operation(ProbesInput, lambda s, r, _: probes.probes(s.catalogue, s.measuring, r)),
    "probe_pictures": Operation(
        ProbePicturesInput, lambda s, r, _: probes.probe_pictures(s.catalogue, r)
    ),
    "probe_picture": Operation(
        ProbePictureInput, lambda s, r, _: probes.probe_picture(s.catalogue, r)
    ),
    "keep_probe": Operation(
        KeepProbeInput, lambda s, r, _: probes.keep_probe(s.catalogue, s.pictures.previews, r)
    ),
    "measure": _job(
        MeasureInput,
        lambda s, r, p: probes.measure(s.catalogue, s.pictures.previews, s.measuring, r, p),
        concurrent=True,
    ),
    "rehearse": _job(
        RehearseInput,
        lambda s, r, p: user_data.rehearse(s.catalogue, s.planner, s.settings, r, p),
        concurrent=True,
    ),
    "index": replace(
        _job(IndexInput, _index),
        job_name=lambda request: "learn" if request.learn else "index",
    ),
    "sync": _job(SyncInput, _sync),
    "identify": _job(IdentifyInput, _identify),
    "import": _job(
        ImportInput,
        lambda s, r, p: sources.import_catalogue(s.catalogue, s.settings.encoder, s.warm, r, p),
    ),
    "refine": _job(
        RefineInput,
        lambda s, r, p: sources.refine(s.catalogue, s.services.language_model, s.warm, r, p),
        concurrent=True,
    ),
    "fetch": _job(
        FetchInput, lambda s, r, p: downloads.fetch(s.catalogue, s.downloads, r, p), concurrent=True
    ),
    "discard": _job(
        DiscardInput,
        lambda s, r, p: downloads.discard(s.catalogue, s.downloads, r, p),
        concurrent=True,
    ),
}
"""In the lambdas, s stands for the services, r for the request and p for its progress."""
