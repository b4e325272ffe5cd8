"""The catalogue over HTTP: read folders into it, search it, show and edit an entry."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import KINDS, STATES, Edits, Entry
from stylus_ext.core.errors import Note, Unavailable
from stylus_ext.core.family import display_name
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.engine.requests import Field, Schema

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus


def entry_json(entry: Entry, *, whole: bool = True) -> dict[str, Any]:
    """A line of a list, or `whole` with all that is known."""
    card = entry.card
    brief = {
        "key": str(entry.key),
        "name": card.name,
        "version": card.version,
        "kind": entry.kind,
        "family": entry.family,
        "base_model": card.base_model,
        "state": entry.edits.state,
        "weight": entry.weight,
        "triggers": list(entry.triggers),
        "stem": entry.stem,
        "size": card.remote.size if card.remote else sum(file.size for file in entry.files[:1]),
    }
    if not whole:
        return brief
    return {
        **brief,
        "text": entry.text,
        "described_by": entry.description.source,
        "flags": [
            flag for flag in ("slider", "speed", "utility") if getattr(entry.description, flag)
        ],
        "tags": list(card.tags),
        "source": card.source,
        "weak": card.weak,
        "nsfw": card.nsfw,
        "creator": card.creator,
        "licence": card.licence,
        "downloads": card.downloads,
        "negative_text": card.negative_text,
        "alias": card.alias,
        "auto_v3": card.auto_v3,
        "examples": [asdict(example) for example in card.examples],
        "equivalents": [str(key) for key in card.equivalents],
        "files": [asdict(file) for file in entry.files],
        "remote": asdict(card.remote) if card.remote else None,
        "edits": asdict(entry.edits),
    }


_LONGEST = 300
_HUGGING_FACE = "huggingface.co"


def cards(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    """By the key that was asked for; unknown ones are left out."""
    found = stylus.store.read(map(AdapterKey.parse, request["keys"]))
    return {"cards": {str(key): card_json(stylus, entry) for key, entry in found.items()}}


def card_json(stylus: Stylus, entry: Entry) -> dict[str, Any]:
    """`preview` where `picture` can be asked for."""
    return {
        **entry_json(entry, whole=False),
        "family_name": display_name(entry.family),
        "text": entry.text[:_LONGEST],
        "nsfw": entry.card.nsfw,
        "preview": stylus.pictures.has(entry.card),
        "link": link_of(entry),
    }


def link_of(entry: Entry) -> str:
    """The adapter's page at the place it comes from; empty where none is known. Only its ids are
    used, never an address of a card's.
    """
    card = entry.card
    version = next(
        (
            key.value
            for key in (card.key, *card.equivalents)
            if key.scheme == "civitai" and key.value.isdecimal()
        ),
        "",
    )
    if version and card.model_id is not None:
        return f"https://civitai.com/models/{card.model_id}?modelVersionId={version}"
    if version:
        return f"https://civitai.com/model-versions/{version}"
    address = urlsplit(card.remote.url if card.remote else "")
    path = address.path.split("/")
    if address.hostname == _HUGGING_FACE and len(path) > len(["", "owner", "name"]):
        return f"https://{_HUGGING_FACE}/{path[1]}/{path[2]}"
    return ""


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


BROWSE: Schema = {
    "text": Field(str, "", longest=1000),
    "family": Field(str, None, longest=64),
    "kind": Field(str, None, choices=KINDS),
    "state": Field(str, None, choices=STATES),
    "on_disk": Field(bool, None),
    "refined": Field(bool, None),
    "bare": Field(bool, None),
    "offset": Field(int, 0, low=0, high=10_000_000),
    "limit": Field(int, 40, low=1, high=200),
}


def browse(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    keep = Filter(
        request["family"],
        request["kind"],
        request["state"],
        request["on_disk"],
        refined=request["refined"],
        bare=request["bare"],
    )
    page = stylus.store.search(request["text"], keep, request["offset"], request["limit"])
    cards = [
        card_json(stylus, entry) | {"refined": entry.description.refined, "bare": entry.card.bare}
        for entry in page.entries
    ]
    return {"total": page.total, "entries": cards}


def overview(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:  # noqa: ARG001
    tally = stylus.tallies.tally()
    families = [
        {"family": name, "name": display_name(name), "entries": number, "on_disk": here}
        for name, (number, here) in tally.families.items()
    ]
    return {
        "entries": tally.entries,
        "on_disk": tally.on_disk,
        "families": families,
        "kinds": dict(tally.kinds),
        "states": dict(tally.states),
        "refined": tally.refined,
        "bare": tally.bare,
        "duplicates": tally.duplicates,
        "unnamed": tally.unnamed,
    }


PICTURE: Schema = {"key": Field(str, required=True, longest=1000)}
_STEP = "fetching a picture"


def picture(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    data = stylus.pictures.small(
        stylus.entry(request["key"]).card, lambda: progress.report(_STEP, 0)
    )
    return {"type": "image/jpeg", "data": base64.b64encode(data).decode("ascii")}


def pictures_leave(stylus: Stylus) -> list[str]:
    """Unlike what a command sends, this is asked for by whatever comes into sight."""
    if not stylus.settings.downloads.thumbnails:
        return []
    return [
        "small pictures of adapters in sight that are not on disk are fetched from Civitai's and"
        " Hugging Face's picture hosts, without a key"
    ]
