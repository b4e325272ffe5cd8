"""A plan over HTTP: what the request says of folders, reach and deadline, turned into one question
to the use case.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stylus_ext.catalogue.on_disk import ListedFile
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.corrections import NO_CORRECTIONS, Corrections, KeptPick
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.generation import EngineAnswerState, FolderState
from stylus_ext.core.naming import NO_TAG_NAMES
from stylus_ext.core.plan import Outcome, Plan, to_json, unchanged
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import ENGINE_SECTIONS, Settings, with_values
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.engine.operations.downloads import note_use, reach_of
from stylus_ext.engine.operations.folders import FoldersRead, read_folders
from stylus_ext.selection.plan import Deadline, PlanRequest

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus


_MOST_PINNED = 500


def late_plan(request: dict[str, Any]) -> dict[str, Any]:
    """The answer when the deadline passes before there is a plan, such as while the encoder loads:
    the prompt as it was.
    """
    batches = len(request["seeds"] or ()) or request["batches"]
    seed = request["seeds"][0] if request["seeds"] else request["seed"]
    note = late_note(request["deadline_s"])
    plan = unchanged(
        request["prompt"], request["negative_prompt"], seed, batches, note, Outcome.LATE
    )
    return _plan_answer(plan, FoldersRead(), request["deadline_s"])


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
        next((one for one in (Outcome.LATE, Outcome.FAILED) if one in outcomes), Outcome.DONE),
        read.state,
        read.index_complete,
        repeatable and read.state in (FolderState.NONE, FolderState.READ),
    )


def late_note(deadline_s: float) -> Note:
    return Note(
        "late",
        f"The prompt was left as it was: its plan was not ready within {round(deadline_s, 1):g} s.",
    )


def plan(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    started = time.perf_counter()
    deadline = Deadline(request["deadline_s"])
    read = read_folders(stylus, request["lora_dirs"], progress, deadline, wait=False)
    reach, told = reach_of(stylus, request)
    seeds = request["seeds"] or [
        request["seed"] + batch * request["batch_size"] for batch in range(request["batches"])
    ]
    made = stylus.plan(
        PlanRequest(
            prompt=request["prompt"],
            negative_prompt=request["negative_prompt"],
            seeds=tuple(seeds),
            batch_size=request["batch_size"],
            settings=settings_for(stylus.settings, request["settings"]),
            on_disk=reach_on_disk(stylus, request, empty=reach is not None),
            reach=reach,
            corrections=corrections_of(request["corrections"]),
        ),
        deadline,
    )
    note_use(
        stylus,
        [
            *(tag.key for tag in made.tags if tag.on_disk),
            *named_in(stylus, request["prompt"]),
        ],
    )
    made = replace(
        made,
        notes=tuple(dict.fromkeys([*stylus.news(), *told, *read.notes, *made.notes])),
    )
    return _plan_answer(made, read, time.perf_counter() - started)


def named_in(stylus: Stylus, prompt: str) -> list[AdapterKey]:
    """What the user's own tags call is in use, too."""
    called = [tag.name for tag in parse_prompt(prompt).user_tags if tag.kind in ADAPTER_KINDS]
    names = stylus.names() if called else NO_TAG_NAMES
    return [key for key in map(names.key, called) if key is not None]


def corrections_of(said: Mapping[str, Any] | None) -> Corrections:
    if said is None:
        return NO_CORRECTIONS
    keys = {name: frozenset(map(AdapterKey.parse, said[name])) for name in ("reject", "swap")}
    kept = tuple(KeptPick(**{**one, "key": AdapterKey.parse(one["key"])}) for one in said["keep"])
    return Corrections(keys["reject"], keys["swap"], kept, said["only"])


def settings_for(base: Settings, values: Mapping[str, Any]) -> Settings:
    for section in ENGINE_SECTIONS:
        if section in values:
            raise InvalidInput(
                f"The settings of {section!r} belong to the engine; they cannot change from plan to"
                " plan."
            )
    return with_values(base, values)


def reach_on_disk(
    stylus: Stylus, request: dict[str, Any], *, empty: bool
) -> dict[AdapterKey, str] | None:
    """What may be picked: what the host lists; else what lies on disk; else, where nothing does,
    the whole catalogue, or `empty`.
    """
    if request["reach"] == "catalogue":
        return None
    if request["inventory"] is not None:
        theirs = stylus.inventories.reach(request["inventory"])
        return dict(theirs) if request["stems"] is None else _among(theirs, request["stems"])
    there = stylus.reachable(request["lora_dirs"])
    if request["stems"] is not None:
        return _among(there, request["stems"])
    return there if there or empty or request["reach"] == "disk" else None


def _among(there: Mapping[AdapterKey, str], stems: Sequence[str]) -> dict[AdapterKey, str]:
    listed = frozenset(stems)
    return {key: stem for key, stem in there.items() if stem in listed}


def inventory(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """Takes what a host elsewhere lists, or says what is known of what it sent before."""
    if (request["items"] is None) == (request["inventory"] is None):
        raise InvalidInput(
            "An inventory is sent as 'items', or named by the number it was given as 'inventory';"
            " one of the two."
        )
    number = request["inventory"] or stylus.inventories.take(
        [ListedFile(**item) for item in request["items"] or ()]
    )
    theirs = stylus.inventories.reach(number)
    pinned = stylus.store.search("", Filter(state="always"), limit=_MOST_PINNED).entries
    return {
        "inventory": number,
        "matched": len(theirs),
        "always": sorted(theirs[entry.key] for entry in pinned if entry.key in theirs),
    }
