"""Operations that plan: one prompt, or all prompts of a generation with the texts of its images."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stylus_ext.catalogue.on_disk import ListedFile
from stylus_ext.core.adapter_type import ADAPTER_TYPES, EMBEDDING, HYPERNETWORK, LORA
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.generation import (
    EngineAnswerState,
    FolderState,
    GenerationAnswer,
    GenerationRequest,
    answer_to_json,
    request_from_json,
    unchanged_answer,
)
from stylus_ext.core.plan import Outcome, Plan, to_json, unchanged
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.schedules import HostSteps
from stylus_ext.core.settings import ENGINE_SECTIONS, Settings, with_values
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.engine.catalogue import Catalogue, FoldersRead
from stylus_ext.engine.requests import (
    CorrectionsInput,
    GenerationInput,
    HostStepsInput,
    InventoryInput,
    PlanInput,
    ReachInput,
)
from stylus_ext.selection.batches import Batches, Pair, write_generation
from stylus_ext.selection.correct import NO_CORRECTIONS, Corrections, KeptPick
from stylus_ext.selection.plan import Deadline, PlanRequest

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

_MOST_PINNED = 500
_MOST_FOR_PLANNING_S = 20.0


def plan(stylus: Stylus, request: PlanInput, progress: Progress) -> dict[str, Any]:
    started = time.perf_counter()
    catalogue = stylus.catalogue
    deadline = Deadline(request.deadline_s)
    read = catalogue.read_folders(
        request.lora_dirs, progress, deadline, wait=False, others=request.others
    )
    policy, policy_notes = stylus.downloads.policy(request)
    settings = plan_settings(stylus.settings, request.settings)
    on_disk = reach_on_disk(catalogue, request, empty=policy is not None)
    made = stylus.planner.plan(
        PlanRequest(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            seeds=_seeds(request),
            batch_size=request.batch_size,
            settings=settings,
            on_disk=on_disk,
            loaded=loaded_embeddings(catalogue, request, on_disk),
            reach=policy,
            corrections=corrections_of(request.corrections),
            host_steps=host_steps_of(request.host_steps),
        ),
        deadline,
    )
    used = [tag.key for tag in made.tags if tag.on_disk]
    named = named_by_user(catalogue, request.prompt)
    stylus.downloads.note_use([*used, *named])
    notes = _notes(catalogue.new_notes(), policy_notes, read.notes, made.notes)
    made = replace(made, notes=notes)
    return _plan_answer(made, read, time.perf_counter() - started)


def late_plan(request: PlanInput) -> dict[str, Any]:
    """The unchanged prompt, as the answer when the deadline passes before there is a plan."""
    deadline_s = request.deadline_s or 0.0
    seeds = _seeds(request)
    made = unchanged(
        request.prompt,
        request.negative_prompt,
        seeds[0],
        len(seeds),
        late_note(deadline_s),
        Outcome.LATE,
    )
    return _plan_answer(made, FoldersRead(), deadline_s)


def late_note(deadline_s: float) -> Note:
    return Note(
        "late",
        f"The prompt was left as it was: its plan was not ready within {round(deadline_s, 1):g} s.",
    )


def _plan_answer(plan: Plan, read: FoldersRead, seconds: float) -> dict[str, Any]:
    return {
        "plan": to_json(plan),
        "state": state_of([plan], read).to_json(),
        "elapsed_ms": round(seconds * 1000, 1),
    }


def state_of(plans: Sequence[Plan], read: FoldersRead) -> EngineAnswerState:
    outcomes = {plan.outcome for plan in plans}
    repeatable = all(plan.repeatable for plan in plans) and read.index_complete
    return EngineAnswerState(
        next((bad for bad in (Outcome.LATE, Outcome.FAILED) if bad in outcomes), Outcome.DONE),
        read.state,
        read.index_complete,
        repeatable and read.state in (FolderState.NONE, FolderState.READ),
    )


def _seeds(request: PlanInput) -> tuple[int, ...]:
    """The first seed of each batch."""
    if request.seeds:
        return tuple(request.seeds)
    return tuple(request.seed + batch * request.batch_size for batch in range(request.batches))


def named_by_user(catalogue: Catalogue, prompt: str) -> list[AdapterKey]:
    """The adapters that the user's own tags name; a plan uses them too."""
    names = [tag.name for tag in parse_prompt(prompt).user_tags if tag.kind in ADAPTER_KINDS]
    if not names:
        return []
    key_of = catalogue.names().key
    return [key for key in map(key_of, names) if key is not None]


def corrections_of(request: CorrectionsInput | None) -> Corrections:
    if request is None:
        return NO_CORRECTIONS
    kept = tuple(
        KeptPick(AdapterKey.parse(pick.key), pick.weight, pick.task, pick.pinned)
        for pick in request.keep
    )
    reject = frozenset(map(AdapterKey.parse, request.reject))
    swap = frozenset(map(AdapterKey.parse, request.swap))
    return Corrections(reject, swap, kept, request.only)


def host_steps_of(request: HostStepsInput | None) -> HostSteps | None:
    return None if request is None else HostSteps(request.steps, request.changes)


def plan_settings(base: Settings, values: Mapping[str, Any]) -> Settings:
    """The engine's settings with those of one plan."""
    for section in ENGINE_SECTIONS:
        if section in values:
            raise InvalidInput(
                f"The settings of {section!r} belong to the engine; they cannot change from plan to"
                " plan."
            )
    return with_values(base, values)


def loaded_embeddings(
    catalogue: Catalogue, request: ReachInput, on_disk: Mapping[AdapterKey, str] | None
) -> dict[AdapterKey, str]:
    """The embeddings that the host reports as loaded; empty without a host."""
    if not request.embeddings or on_disk is None:
        return {}
    types = catalogue.store.other_types()
    return {key: stem for key, stem in on_disk.items() if types.get(key) == EMBEDDING}


def reach_on_disk(
    catalogue: Catalogue, request: ReachInput, *, empty: bool
) -> dict[AdapterKey, str] | None:
    """The adapters that may be picked, with their stems; None stands for the whole catalogue.

    Those of the host's inventory, else those on disk; if nothing is on disk, the whole catalogue,
    unless `empty`. The LoRAs come last, so that a name in a tag is theirs.
    """
    if request.reach == "catalogue":
        return None
    if request.inventory is not None:
        by_type = catalogue.inventories.by_type(request.inventory)
    else:
        by_type = catalogue.available_by_type(request.lora_dirs, request.others)
    listed = {LORA: request.stems, EMBEDDING: request.embeddings}
    listed[HYPERNETWORK] = request.hypernetworks
    if request.stems is not None or request.inventory is not None:
        listed[EMBEDDING] = listed[EMBEDDING] or []
        listed[HYPERNETWORK] = listed[HYPERNETWORK] or []
    found: dict[AdapterKey, str] = {}
    for name in reversed(ADAPTER_TYPES):
        stems = listed[name]
        only = None if stems is None else frozenset(stems)
        of_type = by_type[name].items()
        found |= {key: stem for key, stem in of_type if only is None or stem in only}
    if request.stems is not None:
        return found
    if found or request.inventory is not None or empty or request.reach == "disk":
        return found
    return None


def inventory(catalogue: Catalogue, request: InventoryInput) -> dict[str, Any]:
    """Stores a host's list of files, or finds the list that a number stands for."""
    if (request.items is None) == (request.inventory is None):
        raise InvalidInput("Send the list as 'items', or its number as 'inventory', not both.")
    number = request.inventory or catalogue.inventories.take(
        [ListedFile(**item.model_dump()) for item in request.items or ()]
    )
    found: dict[AdapterKey, str] = {}
    for of_type in catalogue.inventories.by_type(number).values():
        found |= of_type
    pinned = catalogue.store.search("", Filter(state="always"), limit=_MOST_PINNED).entries
    return {
        "inventory": number,
        "matched": len(found),
        "always": sorted(found[entry.key] for entry in pinned if entry.key in found),
    }


def generation(stylus: Stylus, payload: GenerationInput, progress: Progress) -> dict[str, Any]:
    request = request_from_json(payload.model_dump())
    return answer_to_json(_generation_answer(stylus, request, payload, progress))


def late_generation(payload: GenerationInput) -> dict[str, Any]:
    """The answer when the deadline passes before there is one: every prompt as it was."""
    request = request_from_json(payload.model_dump())
    deadline_s = request.deadline_s or 0.0
    note = late_note(deadline_s)
    answer = unchanged_answer(request, Outcome.LATE, note, round(deadline_s * 1000, 1))
    if request.with_plans:
        distinct = _batches(request, Settings()).distinct().items()
        seed = request.seeds[0]
        plans = [unchanged(*pair, seed, len(rest), note, Outcome.LATE) for pair, rest in distinct]
        answer = replace(answer, plans=tuple(plans))
    return answer_to_json(answer)


def _generation_answer(
    stylus: Stylus, request: GenerationRequest, payload: GenerationInput, progress: Progress
) -> GenerationAnswer:
    started = time.perf_counter()
    whole = Deadline(request.deadline_s)
    reading = Deadline(_for_reading(whole.left()))
    catalogue = stylus.catalogue
    read = catalogue.read_folders(
        request.lora_dirs,
        progress,
        reading,
        wait=request.wait_for_folders,
        others=payload.others,
    )
    deadline = Deadline(_shorter(request.planning_s, whole.left()))
    policy, notes = stylus.downloads.policy(payload)
    settings = plan_settings(stylus.settings, request.settings)
    on_disk = reach_on_disk(catalogue, payload, empty=policy is not None)
    loaded = loaded_embeddings(catalogue, payload, on_disk)
    corrections = corrections_of(payload.corrections)

    def plan(pair: Pair, seeds: Sequence[int]) -> Plan:
        return stylus.planner.plan(
            PlanRequest(
                prompt=pair[0],
                negative_prompt=pair[1],
                seeds=tuple(seeds),
                batch_size=request.batch_size,
                settings=settings,
                on_disk=on_disk,
                loaded=loaded,
                reach=policy,
                corrections=corrections,
                host_steps=request.host_steps,
            ),
            deadline,
        )

    made = write_generation(_batches(request, settings), plan, request.compare)
    used = [tag.key for each in made.plans for tag in each.tags if tag.on_disk]
    prompts = [request.description or each.prompt for each in made.plans]
    named = [key for prompt in prompts for key in named_by_user(catalogue, prompt)]
    stylus.downloads.note_use([*used, *named])
    return GenerationAnswer(
        made.texts,
        made.masks,
        made.adapters(),
        made.missing(),
        _notes(
            catalogue.new_notes(),
            notes,
            read.notes,
            made.notes,
        ),
        state_of(made.plans, read),
        made.compared,
        made.plans if request.with_plans else (),
        round((time.perf_counter() - started) * 1000, 1),
        made.schedules if any(each.first or each.second for each in made.schedules) else (),
    )


def _batches(request: GenerationRequest, settings: Settings) -> Batches:
    kinds = request.allowed_kinds
    return Batches(
        request.texts,
        request.batch_size,
        request.seeds,
        settings,
        None if kinds is None else frozenset(kinds),
        request.description,
        request.host_steps,
    )


def _for_reading(left: float | None) -> float | None:
    """Half of the time, or 20 s, is left for planning."""
    return None if left is None else max(left - _MOST_FOR_PLANNING_S, left / 2)


def _shorter(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _notes(*parts: Iterable[Note]) -> tuple[Note, ...]:
    return tuple(dict.fromkeys(note for part in parts for note in part))
