"""Operations on the catalogue: read and index folders, search, show and edit entries."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Edits, Entry
from stylus_ext.core.errors import Note, Unavailable
from stylus_ext.core.family import display_name
from stylus_ext.core.generation import EngineAnswerState, FolderState
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.engine.catalogue import PICTURE_FOLDER, Catalogue, checked_folder
from stylus_ext.engine.downloads import CardPictures
from stylus_ext.engine.requests import (
    MOST_OWN_TAGS,
    BrowseInput,
    CardPicturesInput,
    CardsInput,
    EditInput,
    FoldersInput,
    IndexInput,
    KeyInput,
    MarkInput,
    SearchInput,
    SimilarInput,
)
from stylus_ext.net.values import text as clean_text
from stylus_ext.selection.plan import Deadline

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import UserData

_LONGEST = 300
_LONGEST_NOTE = 2000
_LONGEST_TAG = 60
_SHOWN_USES = 12
_COMPARED = 60
"""Nearest vectors of which those on disk come first."""
_REFRESHED = ("written", "added", "gone", "united", "vectors")
_HUGGING_FACE = "huggingface.co"


def entry_json(entry: Entry, *, whole: bool = True) -> dict[str, Any]:
    """An entry with all that is known, or a row of a list."""
    card = entry.card
    brief = {
        "key": str(entry.key),
        "name": card.name,
        "version": card.version,
        "type": entry.type,
        "negative": card.negative,
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
    description = entry.description
    return {
        **brief,
        "text": entry.text,
        "described_by": description.source,
        "flags": [flag for flag in ("slider", "speed", "utility") if getattr(description, flag)],
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
        "probe": asdict(entry.probe) if entry.probe else None,
    }


def cards(catalogue: Catalogue, pictures: CardPictures, request: CardsInput) -> dict[str, Any]:
    """Cards by the requested keys; unknown keys are left out."""
    found = catalogue.store.read(map(AdapterKey.parse, request.keys))
    return {"cards": {str(key): _card_json(pictures, entry) for key, entry in found.items()}}


def _card_json(pictures: CardPictures, entry: Entry) -> dict[str, Any]:
    return {
        **entry_json(entry, whole=False),
        "family_name": display_name(entry.family),
        "text": entry.text[:_LONGEST],
        "nsfw": entry.card.nsfw,
        "preview": pictures.has(entry),
        "link": link_of(entry),
        "favourite": entry.edits.favourite,
        "trouble": entry.probe.trouble if entry.probe else "",
        "measured": entry.probe is not None,
    }


def link_of(entry: Entry) -> str:
    """The adapter's page at its source; empty if unknown. Built from ids only, never from an
    address in the card.
    """
    card = entry.card
    keys = (card.key, *card.equivalents)
    version = next(
        (key.value for key in keys if key.scheme == "civitai" and key.value.isdecimal()), ""
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


def index(
    catalogue: Catalogue,
    user_data: UserData,
    warm: Callable[[], None],
    request: IndexInput,
    progress: Progress,
) -> dict[str, Any]:
    counts = dict.fromkeys((*_REFRESHED, "learned", "hashed"), 0)
    notes: list[Note] = []
    for folder in request.learn:
        checked_folder(folder, PICTURE_FOLDER)  # reports a mistake before a long reading
    if request.lora_dirs or request.others:
        refreshed = catalogue.index_folders(request.lora_dirs, progress, request.others)
        counts |= {name: getattr(refreshed, name) for name in _REFRESHED}
        notes += refreshed.notes
    if request.learn:
        judged = user_data.feedback.all(), user_data.recipes.all()
        learned = catalogue.learn(request.learn, progress, *judged)
        counts["learned"] = learned.written
        notes += learned.notes
    if request.hash:
        counts["hashed"] = catalogue.hash_files(progress)
    with catalogue.write_lock:
        vectors, vector_notes = catalogue.update_vectors(progress)
    counts["vectors"] += vectors
    if counts["written"] or counts["vectors"]:
        warm()  # rebuilds what depends on the whole catalogue now, not in the next plan
    found = dict.fromkeys((*catalogue.new_notes(), *notes, *vector_notes))
    return {**counts, "notes": [asdict(note) for note in found]}


def search(catalogue: Catalogue, request: SearchInput) -> dict[str, Any]:
    keep = Filter(request.family, request.kind, request.state, request.on_disk, type=request.type)
    page = catalogue.store.search(request.text, keep, request.offset, request.limit)
    return {
        "total": page.total,
        "entries": [entry_json(entry, whole=False) for entry in page.entries],
    }


def browse(catalogue: Catalogue, pictures: CardPictures, request: BrowseInput) -> dict[str, Any]:
    keep = Filter(
        request.family,
        request.kind,
        request.state,
        request.on_disk,
        refined=request.refined,
        bare=request.bare,
        favourite=request.favourite,
        used=request.used,
        type=request.type,
    )
    page = catalogue.store.search(request.text, keep, request.offset, request.limit, request.order)
    uses = catalogue.store.uses.counts(entry.key for entry in page.entries)
    rows = [
        _card_json(pictures, entry)
        | {
            "refined": entry.description.refined,
            "bare": entry.card.bare,
            "used": uses.get(entry.key, 0),
        }
        for entry in page.entries
    ]
    answer: dict[str, Any] = {"total": page.total, "entries": rows}
    if request.counts:
        answer["counts"] = _facets_json(catalogue, keep)
    return answer


def _facets_json(catalogue: Catalogue, keep: Filter) -> dict[str, Any]:
    facets = catalogue.store.tallies.facets(keep)
    families = [
        {"family": family, "name": display_name(str(family)), "entries": number}
        for family, number in facets["family"].items()
    ]
    return {
        "families": families,
        "kinds": facets["kind"],
        "types": facets["type"],
        "states": facets["state"],
        "on_disk": facets["on_disk"].get(True, 0),
        "bare": facets["bare"].get(True, 0),
        "refined": facets["refined"].get(True, 0),
        "favourites": facets["favourite"].get(True, 0),
        # Without any use the pictures were not read, and nothing is known to be unused.
        "unused": facets["used"].get(False, 0) if catalogue.store.tallies.tally().used else 0,
    }


def show(catalogue: Catalogue, pictures: CardPictures, request: KeyInput) -> dict[str, Any]:
    return {"entry": _shown(catalogue, pictures, catalogue.entry(request.key))}


def similar(catalogue: Catalogue, pictures: CardPictures, request: SimilarInput) -> dict[str, Any]:
    """The nearest entries by the stored vectors: the same base model first, then those on disk."""
    entry = catalogue.entry(request.key)
    vector = catalogue.index.vector("card", entry.key)
    cosines: dict[AdapterKey, float] = {}
    for families in (frozenset({entry.family}), None):
        if vector is not None and len(cosines) <= request.limit:
            hits = catalogue.index.search("card", vector, _COMPARED, families)[0]
            cosines |= {hit.key: hit.cosine for hit in hits}
    cosines.pop(entry.key, None)
    found = {one.key: one for one in catalogue.store.read(cosines).values()}

    def place(other: Entry) -> tuple[bool, bool, float]:
        return other.family != entry.family, not other.files, -cosines.get(other.key, 0.0)

    nearest = sorted(found.values(), key=place)[: request.limit]
    return {"entries": [_card_json(pictures, other) for other in nearest]}


def edit(
    catalogue: Catalogue, pictures: CardPictures, request: EditInput, progress: Progress
) -> dict[str, Any]:
    entry = catalogue.entry(request.key)
    changes: dict[str, Any] = request.model_dump(
        include={"state", "text", "weight", "kind", "triggers", "favourite", "note", "tags"},
        exclude_none=True,
    )
    if "note" in changes:
        changes["note"] = clean_text(changes["note"], _LONGEST_NOTE) or None
    if "tags" in changes:
        changes["tags"] = _own_tags(changes["tags"])
    if "triggers" in changes:
        changes["triggers"] = tuple(changes["triggers"])
    edits = replace(entry.edits.undone if request.undo else entry.edits, **changes)
    edited = catalogue.store.edit(entry.key, edits)
    if request.undo or changes.keys() & {"text", "triggers"}:
        progress.report("embedding", 0, 1)
        with contextlib.suppress(Unavailable):  # then the next update makes the vector
            catalogue.embed.embed_now([edited.key])
    return {"entry": _shown(catalogue, pictures, edited)}


def _own_tags(texts: Iterable[str]) -> tuple[str, ...] | None:
    """Cleaned tags without a comma, each once whatever its case; None if there are none."""
    found: dict[str, str] = {}
    for text in texts:
        for part in text.split(","):
            tag = " ".join(clean_text(part, _LONGEST_TAG).split())
            if tag:
                found.setdefault(tag.casefold(), tag)
    return tuple(found.values())[:MOST_OWN_TAGS] or None


def mark(catalogue: Catalogue, request: MarkInput) -> dict[str, Any]:
    """Changes state, star or own tags of several entries; unknown keys are left out."""
    changes: dict[str, Any] = request.model_dump(include={"state", "favourite"}, exclude_none=True)
    removed = {tag.casefold() for tag in _own_tags(request.remove_tags) or ()}

    def marked(edits: Edits) -> Edits:
        kept = [tag for tag in edits.tags or () if tag.casefold() not in removed]
        return replace(edits, **changes, tags=_own_tags((*kept, *request.add_tags)))

    edited = {
        entry.key: edits
        for entry in catalogue.store.read(map(AdapterKey.parse, request.keys)).values()
        if (edits := marked(entry.edits)) != entry.edits
    }
    catalogue.store.edit_all(edited)
    return {"changed": len(edited)}


def _shown(catalogue: Catalogue, pictures: CardPictures, entry: Entry) -> dict[str, Any]:
    history = catalogue.store.uses.history(entry.key, _SHOWN_USES)
    uses = {
        "pictures": history.pictures,
        "weights": [{"weight": weight, "pictures": n} for weight, n in history.weights],
        "newest": [
            {"path": use.path, "made": use.made, "weight": use.weight} for use in history.newest
        ],
    }
    return entry_json(entry) | {
        "link": link_of(entry),
        "preview": pictures.has(entry),
        "favourite": entry.edits.favourite,
        "uses": uses,
    }


def overview(catalogue: Catalogue) -> dict[str, Any]:
    tally = catalogue.store.tallies.tally()
    families = [
        {"family": name, "name": display_name(name), "entries": number, "on_disk": on_disk}
        for name, (number, on_disk) in tally.families.items()
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


def card_pictures(pictures: CardPictures, request: CardPicturesInput) -> dict[str, Any]:
    """Whether pictures of what is not on disk are fetched; changes the user's consent."""
    if request.allow is not None:
        pictures.allow(request.allow)
    return {"on": pictures.on, "by_settings": pictures.by_settings}


def picture(
    catalogue: Catalogue, pictures: CardPictures, request: KeyInput, progress: Progress
) -> dict[str, Any]:
    entry = catalogue.entry(request.key)
    data = pictures.small(entry, lambda: progress.report("fetching a picture", 0))
    return {"type": "image/jpeg", "data": base64.b64encode(data).decode("ascii")}


def folders(catalogue: Catalogue, request: FoldersInput, progress: Progress) -> dict[str, Any]:
    started = time.perf_counter()
    deadline = Deadline(request.deadline_s)
    read = catalogue.read_folders(
        request.lora_dirs, progress, deadline, wait=request.wait, others=request.others
    )
    whole = read.state is FolderState.READ and read.index_complete
    state = EngineAnswerState(
        folders=read.state, index_complete=read.index_complete, repeatable=whole
    )
    return {
        "state": state.to_json(),
        "notes": [{"code": note.code, "text": note.text} for note in read.notes],
        "elapsed_ms": round((time.perf_counter() - started) * 1000, 1),
    }
