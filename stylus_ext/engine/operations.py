"""What the engine can do, by name: a checked payload goes in, plain JSON comes out. The CLI calls the same, with or without HTTP."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stylus_ext import __version__
from stylus_ext.app.inventory import Listed
from stylus_ext.app.plan_prompt import Deadline, PlanRequest
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Edits
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, Note, Unavailable
from stylus_ext.core.plan import to_json, unchanged
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.settings import COMPOSERS, ENGINE_SECTIONS, POLICIES, SCHEMES, Settings, with_values
from stylus_ext.engine import requests
from stylus_ext.engine.civitai import identify, on_request, sync
from stylus_ext.engine.downloads import discard, fetch, leaves, reach_of
from stylus_ext.engine.entries import entry_json
from stylus_ext.engine.requests import EDIT, IDENTIFY, INDEX, INVENTORY, LONGEST_S, PLAN, SEARCH, SHOW, SYNC
from stylus_ext.engine.schemas import Schema, checked

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring import Stylus

PROTOCOL = 1
_SLACK_S = 0.05
_MOST_PINNED = 500


@dataclass(frozen=True, slots=True)
class Operation:
    """`long` ones are run as jobs, with progress and cancel; those `beside` wait for no other job."""

    schema: Schema
    run: Callable[[Stylus, dict[str, Any], Progress], dict[str, Any]]
    long: bool = False
    beside: bool = False


def perform(stylus: Stylus, name: str, payload: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    if name not in OPERATIONS:
        raise InvalidInput(f"There is no operation {name!r}; there are {', '.join(OPERATIONS)}.")
    operation = OPERATIONS[name]
    return operation.run(stylus, checked(payload, operation.schema), progress)


def patience(name: str, payload: Any) -> float | None:
    """How long the answer may be waited for; a payload that is wrong is told so soon enough."""
    wanted = payload.get("deadline_s") if name == "plan" and isinstance(payload, Mapping) else None
    return wanted + _SLACK_S if isinstance(wanted, (int, float)) and 0 <= wanted <= LONGEST_S else None


def overdue(payload: Mapping[str, Any]) -> dict[str, Any]:
    """In place of a plan that is still being made, such as the first one while the encoder loads: the prompt as it was."""
    request = checked(payload, PLAN)
    batches = len(request["seeds"] or ()) or request["batches"]
    seed = request["seeds"][0] if request["seeds"] else request["seed"]
    note = Note("late", f"The prompt was left as it was: its plan was not ready within {request['deadline_s']:g} s.")
    plan = unchanged(request["prompt"], request["negative_prompt"], seed, batches, note)
    return {"plan": to_json(plan), "elapsed_ms": round(request["deadline_s"] * 1000, 1)}


def _plan(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    started = time.perf_counter()
    deadline = Deadline(request["deadline_s"])
    notes = _read_folders(stylus, request["lora_dirs"], _Hurried(progress, deadline)) if request["lora_dirs"] else []
    partial = stylus.embed.note()
    reach, told = reach_of(stylus, request)
    seeds = request["seeds"] or [request["seed"] + batch * request["batch_size"] for batch in range(request["batches"])]
    plan = stylus.plan(
        PlanRequest(
            prompt=request["prompt"],
            negative_prompt=request["negative_prompt"],
            seeds=tuple(seeds),
            batch_size=request["batch_size"],
            settings=_settings(stylus.settings, request["settings"]),
            on_disk=_reach(stylus, request, empty=reach is not None),
            reach=reach,
        ),
        deadline,
    )
    stylus.downloads.note_use(str(tag.key) for tag in plan.tags if tag.on_disk)
    plan = replace(plan, notes=tuple(dict.fromkeys([*stylus.news(), *told, *notes, *([partial] if partial else []), *plan.notes])))
    return {"plan": to_json(plan), "elapsed_ms": round((time.perf_counter() - started) * 1000, 1)}


@dataclass(frozen=True, slots=True)
class _Hurried:
    """The progress of what a plan has to wait for."""

    progress: Progress
    deadline: Deadline

    def report(self, step: str, done: int, total: int | None = None) -> None:
        self.deadline.check(f"{step} was over")
        self.progress.report(step, done, total)


def _read_folders(stylus: Stylus, folders: Sequence[str], progress: Progress) -> list[Note]:
    """What is new in them, before a plan; but no plan waits for another's reading, nor longer than it may."""
    if not stylus.changing.acquire(blocking=False):
        return [Note("busy", "The catalogue is just being brought up to date; this plan used what was there.")]
    try:
        return list(stylus.index_folders(folders, progress).notes)
    except DeadlineExceeded as error:
        return [Note("late", f"The LoRA folder was not read to its end: {error}")]
    finally:
        stylus.changing.release()


def _settings(base: Settings, values: Mapping[str, Any]) -> Settings:
    for section in ENGINE_SECTIONS:
        if section in values:
            raise InvalidInput(f"The settings of {section!r} belong to the engine; they cannot change from plan to plan.")
    return with_values(base, values)


def _reach(stylus: Stylus, request: dict[str, Any], *, empty: bool) -> dict[AdapterKey, str] | None:
    """What may be picked: what the host lists; else what lies on disk; else, where nothing does, the whole catalogue, or `empty`."""
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


def _inventory(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001 - is quick
    """Takes what a host elsewhere lists, or says what is known of what it sent before."""
    if (request["items"] is None) == (request["inventory"] is None):
        raise InvalidInput("An inventory is sent as 'items', or named by the number it was given as 'inventory'; one of the two.")
    number = request["inventory"] or stylus.inventories.take([Listed(**item) for item in request["items"] or ()])
    theirs = stylus.inventories.reach(number)
    pinned = stylus.store.search("", Filter(state="always"), limit=_MOST_PINNED).entries
    return {
        "inventory": number, "matched": len(theirs),
        "always": sorted(theirs[entry.key] for entry in pinned if entry.key in theirs),
    }


def _index(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    answer: dict[str, Any] = {"written": 0, "gone": 0, "united": 0, "learned": 0, "hashed": 0, "vectors": 0, "notes": []}
    notes: list[Note] = []
    if request["lora_dirs"]:
        refreshed = stylus.index_folders(request["lora_dirs"], progress)
        answer |= {"written": refreshed.written, "gone": refreshed.gone, "united": refreshed.united, "vectors": refreshed.vectors}
        notes += refreshed.notes
    if request["learn"]:
        learned = stylus.learn(request["learn"], progress)
        answer["learned"] = learned.written
        notes += learned.notes
    if request["hash"]:
        answer["hashed"] = stylus.hash_files(progress)
    with stylus.changing:
        vectors, lacking = stylus.bring_in_step(progress)
    answer["vectors"] += vectors
    if answer["written"] or answer["vectors"]:
        stylus.warm()  # so that what is made anew of a large catalogue is not made while somebody waits for a plan
    answer["notes"] = [{"code": note.code, "text": note.text} for note in dict.fromkeys((*stylus.news(), *notes, *lacking))]
    return answer


def _search(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001 - is quick
    keep = Filter(request["family"], request["kind"], request["state"], request["on_disk"])
    page = stylus.store.search(request["text"], keep, request["offset"], request["limit"])
    return {"total": page.total, "entries": [entry_json(entry, whole=False) for entry in page.entries]}


def _show(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001 - is quick
    return {"entry": entry_json(stylus.entry(request["key"]))}


def _edit(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    entry = stylus.entry(request["key"])
    said = {name: request[name] for name in ("state", "text", "weight", "kind") if request[name] is not None}
    if request["triggers"] is not None:
        said["triggers"] = tuple(request["triggers"])
    edits = replace(Edits() if request["undo"] else entry.edits, **said)
    edited = stylus.store.edit(entry.key, edits)
    if said.keys() & {"text", "triggers"} or request["undo"]:
        progress.report("embedding", 0, 1)
        with contextlib.suppress(Unavailable):  # then the vector is made when the next ones are
            stylus.embed.these([edited.key])
    return {"entry": entry_json(edited)}


def _status(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001 - is quick
    return {
        "version": __version__,
        "protocol": PROTOCOL,
        "data_folder": str(stylus.folder),
        "catalogue": {
            "entries": stylus.store.search("", Filter(), limit=1).total,
            "on_disk": len(stylus.on_disk()),
            "revision": stylus.store.revision,
            "in_step": stylus.embed.in_step(),
        },
        "encoder": stylus.embedder.name,
        "vectors": stylus.settings.vectors.chroma_url or "in the data folder",
        "leaves_the_machine": _leaves(stylus.settings),
        "leaves_on_request": [*on_request(stylus), *leaves(stylus)],
        "capabilities": {
            "composers": list(COMPOSERS), "policies": list(POLICIES), "schemes": list(SCHEMES), "downloads": stylus.downloads.on,
            "operations": sorted(OPERATIONS),
        },
        "notes": [{"code": note.code, "text": note.text} for note in stylus.notes()],
    }


def _leaves(settings: Settings) -> list[str]:
    found = []
    if settings.encoder.endpoint:
        found.append(f"prompts and card texts go to {settings.encoder.endpoint} to be embedded")
    if settings.vectors.chroma_url:
        found.append(f"vectors and keys of adapters go to {settings.vectors.chroma_url}")
    return found


OPERATIONS: Mapping[str, Operation] = {
    "plan": Operation(PLAN, _plan),
    "search": Operation(SEARCH, _search),
    "show": Operation(SHOW, _show),
    "edit": Operation(EDIT, _edit),
    "status": Operation({}, _status),
    "inventory": Operation(INVENTORY, _inventory),
    "index": Operation(INDEX, _index, long=True),
    "sync": Operation(SYNC, sync, long=True),
    "identify": Operation(IDENTIFY, identify, long=True),
    "fetch": Operation(requests.FETCH, fetch, long=True, beside=True),
    "discard": Operation(requests.DISCARD, discard, long=True, beside=True),
}
