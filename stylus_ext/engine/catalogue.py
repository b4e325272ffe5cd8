"""The catalogue over HTTP: read folders into it, search it, show and edit an entry."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stylus_ext.core.description import Edits, Entry
from stylus_ext.core.errors import Note, Unavailable
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.engine.cards import link_of
from stylus_ext.engine.entries import entry_json

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus


def index(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "written": 0,
        "gone": 0,
        "united": 0,
        "learned": 0,
        "hashed": 0,
        "vectors": 0,
        "notes": [],
    }
    notes: list[Note] = []
    stylus.picture_folders(request["learn"])  # a mistake is told at once, not after a long reading
    if request["lora_dirs"]:
        refreshed = stylus.index_folders(request["lora_dirs"], progress)
        answer |= {
            "written": refreshed.written,
            "gone": refreshed.gone,
            "united": refreshed.united,
            "vectors": refreshed.vectors,
        }
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
        # so that what is made anew of a large catalogue is not made while somebody waits for a plan
        stylus.warm()
    answer["notes"] = [
        {"code": note.code, "text": note.text}
        for note in dict.fromkeys((*stylus.news(), *notes, *lacking))
    ]
    return answer


def search(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    keep = Filter(request["family"], request["kind"], request["state"], request["on_disk"])
    page = stylus.store.search(request["text"], keep, request["offset"], request["limit"])
    return {
        "total": page.total,
        "entries": [entry_json(entry, whole=False) for entry in page.entries],
    }


def show(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    return {"entry": _told(stylus, stylus.entry(request["key"]))}


def edit(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    entry = stylus.entry(request["key"])
    said = {
        name: request[name]
        for name in ("state", "text", "weight", "kind")
        if request[name] is not None
    }
    if request["triggers"] is not None:
        said["triggers"] = tuple(request["triggers"])
    edits = replace(Edits() if request["undo"] else entry.edits, **said)
    edited = stylus.store.edit(entry.key, edits)
    if said.keys() & {"text", "triggers"} or request["undo"]:
        progress.report("embedding", 0, 1)
        with contextlib.suppress(Unavailable):  # then the vector is made when the next ones are
            stylus.embed.these([edited.key])
    return {"entry": _told(stylus, edited)}


def _told(stylus: Stylus, entry: Entry) -> dict[str, Any]:
    return entry_json(entry) | {"link": link_of(entry), "preview": stylus.pictures.has(entry.card)}
