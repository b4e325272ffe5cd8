"""A plan over HTTP: what the request says of folders, reach and deadline, turned into one question
to the use case.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stylus_ext.catalogue.on_disk import ListedFile
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.corrections import NO_CORRECTIONS, Corrections, KeptPick
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Note
from stylus_ext.core.naming import NO_TAG_NAMES
from stylus_ext.core.plan import to_json, unchanged
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import ENGINE_SECTIONS, Settings, with_values
from stylus_ext.core.tags import ADAPTER_KINDS
from stylus_ext.engine.operations.downloads import note_use, reach_of
from stylus_ext.engine.requests import LONGEST_S, PLAN, checked
from stylus_ext.selection.plan import Deadline, PlanRequest

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus


_SLACK_S = 0.05
_MOST_PINNED = 500


def patience(name: str, payload: Any) -> float | None:
    """How long the answer may be waited for; a payload that is wrong is told so soon enough."""
    wanted = payload.get("deadline_s") if name == "plan" and isinstance(payload, Mapping) else None
    return (
        wanted + _SLACK_S if isinstance(wanted, (int, float)) and 0 <= wanted <= LONGEST_S else None
    )


def overdue(payload: Mapping[str, Any]) -> dict[str, Any]:
    """In place of a plan that is still being made, such as the first one while the encoder loads:
    the prompt as it was.
    """
    request = checked(payload, PLAN)
    batches = len(request["seeds"] or ()) or request["batches"]
    seed = request["seeds"][0] if request["seeds"] else request["seed"]
    note = Note(
        "late",
        "The prompt was left as it was: its plan was not ready within"
        f" {round(request['deadline_s'], 1):g} s.",
    )
    plan = unchanged(request["prompt"], request["negative_prompt"], seed, batches, note)
    return {"plan": to_json(plan), "elapsed_ms": round(request["deadline_s"] * 1000, 1)}


def plan(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    started = time.perf_counter()
    deadline = Deadline(request["deadline_s"])
    notes = (
        _read_folders(stylus, request["lora_dirs"], _Hurried(progress, deadline))
        if request["lora_dirs"]
        else []
    )
    partial = stylus.embed.note()
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
            corrections=_corrections(request["corrections"]),
        ),
        deadline,
    )
    note_use(
        stylus,
        [
            *(tag.key for tag in made.tags if tag.on_disk),
            *_written_by_hand(stylus, request["prompt"]),
        ],
    )
    made = replace(
        made,
        notes=tuple(
            dict.fromkeys(
                [*stylus.news(), *told, *notes, *([partial] if partial else []), *made.notes]
            )
        ),
    )
    return {"plan": to_json(made), "elapsed_ms": round((time.perf_counter() - started) * 1000, 1)}


def _written_by_hand(stylus: Stylus, prompt: str) -> list[AdapterKey]:
    """What the user's own tags call is in use, too."""
    called = [tag.name for tag in parse_prompt(prompt).user_tags if tag.kind in ADAPTER_KINDS]
    names = stylus.names() if called else NO_TAG_NAMES
    return [key for key in map(names.key, called) if key is not None]


@dataclass(frozen=True, slots=True)
class _Hurried:
    """The progress of what a plan has to wait for."""

    progress: Progress
    deadline: Deadline

    def report(self, step: str, done: int, total: int | None = None) -> None:
        self.deadline.check(f"{step} was over")
        self.progress.report(step, done, total)


def _read_folders(stylus: Stylus, folders: Sequence[str], progress: Progress) -> list[Note]:
    """What is new in them, before a plan; but no plan waits for another's reading, nor longer than
    it may.
    """
    if not stylus.changing.acquire(blocking=False):
        return [
            Note(
                "busy",
                "The catalogue is just being brought up to date; this plan used what was there.",
            )
        ]
    try:
        return list(stylus.index_folders(folders, progress).notes)
    except DeadlineExceeded as error:
        return [Note("late", f"The LoRA folder was not read to its end: {error}")]
    finally:
        stylus.changing.release()


def _corrections(said: Mapping[str, Any] | None) -> Corrections:
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
