"""The plan operation: folders, reach, corrections and deadline of one planned prompt."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stylus_ext.catalogue.on_disk import ListedFile
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.generation import EngineAnswerState, FolderState
from stylus_ext.core.plan import Outcome, Plan, to_json, unchanged
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import ENGINE_SECTIONS, Settings, with_values
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.engine.catalogue import Catalogue
from stylus_ext.engine.operations.downloads import fetch_policy, note_use
from stylus_ext.engine.operations.folders import FoldersRead, read_folders
from stylus_ext.engine.requests import CorrectionsInput, InventoryInput, PlanInput, ReachInput
from stylus_ext.selection.correct import NO_CORRECTIONS, Corrections, KeptPick
from stylus_ext.selection.plan import Deadline, PlanRequest

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

_MOST_PINNED = 500


def plan(stylus: Stylus, request: PlanInput, progress: Progress) -> dict[str, Any]:
    started = time.perf_counter()
    catalogue = stylus.catalogue
    deadline = Deadline(request.deadline_s)
    read = read_folders(catalogue, request.lora_dirs, progress, deadline, wait=False)
    policy, policy_notes = fetch_policy(stylus.downloads, request)
    made = stylus.planner.plan(
        PlanRequest(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            seeds=_seeds(request),
            batch_size=request.batch_size,
            settings=plan_settings(stylus.settings, request.settings),
            on_disk=reach_on_disk(catalogue, request, empty=policy is not None),
            reach=policy,
            corrections=corrections_of(request.corrections),
        ),
        deadline,
    )
    used = [tag.key for tag in made.tags if tag.on_disk]
    note_use(catalogue, stylus.downloads, [*used, *named_by_user(catalogue, request.prompt)])
    notes = dict.fromkeys([*catalogue.new_notes(), *policy_notes, *read.notes, *made.notes])
    made = replace(made, notes=tuple(notes))
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


def plan_settings(base: Settings, values: Mapping[str, Any]) -> Settings:
    """The engine's settings with those of one plan."""
    for section in ENGINE_SECTIONS:
        if section in values:
            raise InvalidInput(
                f"The settings of {section!r} belong to the engine; they cannot change from plan to"
                " plan."
            )
    return with_values(base, values)


def reach_on_disk(
    catalogue: Catalogue, request: ReachInput, *, empty: bool
) -> dict[AdapterKey, str] | None:
    """The adapters that may be picked, with their stems; None stands for the whole catalogue.

    Those of the host's inventory, else those on disk; if nothing is on disk, the whole catalogue,
    unless `empty`.
    """
    if request.reach == "catalogue":
        return None
    if request.inventory is not None:
        found = dict(catalogue.inventories.reach(request.inventory))
    else:
        found = catalogue.available(request.lora_dirs)
    if request.stems is not None:
        stems = frozenset(request.stems)
        return {key: stem for key, stem in found.items() if stem in stems}
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
    found = catalogue.inventories.reach(number)
    pinned = catalogue.store.search("", Filter(state="always"), limit=_MOST_PINNED).entries
    return {
        "inventory": number,
        "matched": len(found),
        "always": sorted(found[entry.key] for entry in pinned if entry.key in found),
    }
