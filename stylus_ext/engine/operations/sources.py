"""What is wired to published catalogues: a folder of files goes in, entries and their vectors come
out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from stylus_ext.catalogue.importing import ImportCatalogue, LendVectors, into
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.sources.stylusdocs import DIMENSIONS, MODEL, stylusdocs_in
from stylus_ext.catalogue.vectors import LentIndex
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS
from stylus_ext.core.errors import Note
from stylus_ext.core.importing import Imported, PublishedVectors
from stylus_ext.core.ports import Progress
from stylus_ext.core.sources import HUGGING_FACE, Wanted
from stylus_ext.engine.requests import Field, Schema
from stylus_ext.engine.resources import fits
from stylus_ext.engine.stylus import Stylus, checked_folder


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """`vectors` are taken in where the encoder is theirs, into Chroma only where `chroma` says
    so.
    """

    folder: str
    vectors: bool = True
    chroma: bool = False


def import_stylusdocs(
    stylus: Stylus, request: ImportRequest, progress: Progress
) -> tuple[Imported, int, tuple[Note, ...]]:
    """What was imported, how many entries got a published vector, and why not all of them."""
    published = stylusdocs_in(
        checked_folder(request.folder, "the folder into which you have unpacked StylusDocs")
    )
    vectors = published.vectors() if request.vectors else None
    done, places = ImportCatalogue(stylus.shop, CardRefiner())(published, progress)
    if vectors is None:
        return done, 0, ()
    why = _why_not(stylus, vectors, done)
    if why:
        return done, 0, (Note("vectors_left", why),)
    return done, _lend(stylus, vectors, places, request.chroma, progress), ()


def _why_not(stylus: Stylus, vectors: PublishedVectors, done: Imported) -> str:
    if vectors.rows != done.read:
        return (
            f"There are {vectors.rows:,} published vectors and {done.read:,} records, so that"
            " nobody can say whose they are; none was taken."
        )
    if vectors.model == MODEL and fits(stylus.settings.encoder):
        return ""
    return (
        f"The published vectors were made by {vectors.model} and stay where they are: prompts are"
        f" embedded by {stylus.settings.encoder.model}. They are used with an encoder.endpoint that"
        f" has {MODEL}, at all of its {DIMENSIONS:,} dimensions; import again then."
    )


def _lend(
    stylus: Stylus,
    vectors: PublishedVectors,
    places: list[tuple[int, AdapterKey]],
    chroma: bool,
    progress: Progress,
) -> int:
    index = stylus.index
    if chroma or not isinstance(index, LentIndex):
        prints = [index.fingerprints(view) for view in VIEWS]
        lent = index.lent() if isinstance(index, LentIndex) else {}
        have = {
            key: tuple(of.get(key, "") for of in prints) for key in prints[0] if key not in lent
        }
        return LendVectors(stylus.shop, stylus.embed.made_from, have)(
            vectors, places, into(index.write), progress
        )
    return LendVectors(stylus.shop, stylus.embed.made_from, index.lent())(
        vectors, places, index.lend, progress
    )


def sync(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    wanted = Wanted(
        query=request["query"].strip(),
        tag=request["tag"].strip(),
        base_models=tuple(request["base_models"]),
        top=request["top"],
        nsfw=request["nsfw"],
        examples=request["examples"],
    )
    source = stylus.hugging_face if request["source"] == HUGGING_FACE else stylus.civitai
    synced = source.sync(stylus.shop, wanted, progress, afresh=request["afresh"])
    if synced.vectors:
        # so that what is made anew of a large catalogue is not made while somebody waits for a plan
        stylus.warm()
    notes = [*stylus.news(), *synced.notes]
    return {
        **asdict(synced),
        "source": source.key_name.service,
        "unchanged": synced.unchanged,
        "notes": [asdict(note) for note in notes],
    }


def identify(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Reads the folders first, and hashes what has no hash: those are what is sent."""
    refreshed = stylus.index_folders(request["lora_dirs"], progress)
    hashed = stylus.hash_files(progress)
    folders = stylus.folders(request["lora_dirs"])
    found = stylus.civitai.identify(stylus.shop, folders, progress, again=request["again"])
    vectors = refreshed.vectors + found.vectors
    if vectors:
        stylus.warm()
    notes = [*stylus.news(), *refreshed.notes]
    return {
        **asdict(found),
        "written": refreshed.written,
        "hashed": hashed,
        "vectors": vectors,
        "notes": [asdict(note) for note in notes],
    }


def on_request(stylus: Stylus) -> list[str]:
    """What a command sends when the user gives it, and never by itself."""
    there, hub = stylus.civitai.told(), stylus.hugging_face.told()
    return [
        (
            f"`catalogue sync`: the words, tag and base models that you search for, to {there};"
            f" with `--from huggingface` to {hub}"
        ),
        (
            "`catalogue identify`: the SHA256 of your files that nobody has named yet, and what it"
            f" does not know by that, by its tensors' hash, to {there}"
        ),
    ]


IMPORT: Schema = {
    "format": Field(str, required=True, choices=("stylusdocs",)),
    "folder": Field(str, required=True, longest=4096),
    "vectors": Field(bool, True),
    "chroma": Field(bool, False),
    "embed": Field(bool, True),
}


def take_in(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """What has no published vector is embedded afterwards, unless that is not wanted now."""
    asked = ImportRequest(request["folder"], request["vectors"], request["chroma"])
    imported, lent, notes = import_stylusdocs(stylus, asked, progress)
    made, lacking = 0, list[Note]()
    if request["embed"]:
        with stylus.changing:
            made, said = stylus.bring_in_step(progress)
        lacking += said
        stylus.warm()
    told = dict.fromkeys((*stylus.news(), *notes, *lacking))
    return {
        **asdict(imported),
        "lent": lent,
        "vectors": made,
        "notes": [asdict(note) for note in told],
    }
