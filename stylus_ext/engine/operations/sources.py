"""Operations that fill the catalogue from its sources: sync, identify, import and refine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from stylus_ext.catalogue.importing import ImportCatalogue, ImportVectors, into
from stylus_ext.catalogue.refine.job import FailedAttempts, RefineCatalogue
from stylus_ext.catalogue.refine.llm import LlmRefiner
from stylus_ext.catalogue.refine.llm_prompt import CardImages
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.sources.stylusdocs import DIMENSIONS, MODEL, stylusdocs_in
from stylus_ext.catalogue.vectors import ImportedIndex
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.counted import counted
from stylus_ext.core.entry import VIEWS
from stylus_ext.core.errors import Note
from stylus_ext.core.importing import Imported, PublishedVectors
from stylus_ext.core.ports import Progress
from stylus_ext.core.refining import RefineLimits, RefineReport
from stylus_ext.core.settings import Encoder
from stylus_ext.core.sources import HUGGING_FACE, Wanted
from stylus_ext.engine.catalogue import Catalogue, checked_folder, checked_folders
from stylus_ext.engine.encoders import accepts_published_vectors
from stylus_ext.engine.language_model import LanguageModel
from stylus_ext.engine.requests import IdentifyInput, ImportInput, RefineInput, SyncInput
from stylus_ext.engine.services import Services
from stylus_ext.net import Pace
from stylus_ext.net.thumbnails import RemotePictures, Thumbnails

_FAILED_ATTEMPTS = "refine.failed"
_MINUTE_S = 60.0
Warm = Callable[[], None]
"""Rebuilds what depends on the whole catalogue, so that the next plan does not wait for it."""


def sync(
    catalogue: Catalogue, services: Services, warm: Warm, request: SyncInput, progress: Progress
) -> dict[str, Any]:
    """Reads the catalogue of Civitai or Hugging Face; continues where an earlier run stopped."""
    wanted = Wanted(
        query=request.query.strip(),
        tag=request.tag.strip(),
        base_models=tuple(request.base_models),
        top=request.top,
        nsfw=request.nsfw,
        examples=request.examples,
    )
    hub = request.source == HUGGING_FACE
    access = services.hugging_face if hub else services.civitai
    synced = access.sync(catalogue.ingest, wanted, progress, afresh=request.afresh)
    if synced.vectors:
        warm()
    return {
        **asdict(synced),
        "source": access.key_name.service,
        "unchanged": synced.unchanged,
        "notes": _notes(catalogue.new_notes(), synced.notes),
    }


def identify(
    catalogue: Catalogue,
    services: Services,
    warm: Warm,
    request: IdentifyInput,
    progress: Progress,
) -> dict[str, Any]:
    """Reads the folders, hashes files without a hash, and asks Civitai about the hashes."""
    refreshed = catalogue.index_folders(request.lora_dirs, progress, request.others)
    hashed = catalogue.hash_files(progress)
    others = (folder for of_type in request.others.values() for folder in of_type)
    folders = checked_folders([*request.lora_dirs, *others])
    found = services.civitai.identify(catalogue.ingest, folders, progress, again=request.again)
    vectors = refreshed.vectors + found.vectors
    if vectors:
        warm()
    return {
        **asdict(found),
        "written": refreshed.written,
        "hashed": hashed,
        "vectors": vectors,
        "notes": _notes(catalogue.new_notes(), refreshed.notes),
    }


def import_catalogue(
    catalogue: Catalogue, encoder: Encoder, warm: Warm, request: ImportInput, progress: Progress
) -> dict[str, Any]:
    """Imports StylusDocs, then makes the vectors that were not published."""
    imported, used, notes = import_stylusdocs(catalogue, encoder, request, progress)
    made, vector_notes = 0, tuple[Note, ...]()
    if request.embed:
        with catalogue.write_lock:
            made, vector_notes = catalogue.update_vectors(progress)
        warm()
    return {
        **asdict(imported),
        "published": used,
        "vectors": made,
        "notes": _notes(catalogue.new_notes(), notes, vector_notes),
    }


def import_stylusdocs(
    catalogue: Catalogue, encoder: Encoder, request: ImportInput, progress: Progress
) -> tuple[Imported, int, tuple[Note, ...]]:
    """Returns counts, the number of entries with a published vector, and why others have none."""
    published = stylusdocs_in(
        checked_folder(request.folder, "the folder with the unpacked StylusDocs")
    )
    vectors = published.vectors() if request.vectors else None
    imported, places = ImportCatalogue(catalogue.ingest, CardRefiner())(published, progress)
    if vectors is None:
        return imported, 0, ()
    problem = _vectors_problem(encoder, vectors, imported)
    if problem:
        return imported, 0, (Note("vectors_left", problem),)
    return imported, _add_imported(catalogue, vectors, places, request.chroma, progress), ()


def _vectors_problem(encoder: Encoder, vectors: PublishedVectors, imported: Imported) -> str:
    if vectors.rows != imported.read:
        return (
            f"No published vector was used: there are {counted(vectors.rows, 'vector')} for"
            f" {counted(imported.read, 'record')}."
        )
    if vectors.model == MODEL and accepts_published_vectors(encoder):
        return ""
    return (
        f"The published vectors were not used: they are of {vectors.model}, and prompts are"
        f" embedded by {encoder.model}. Set an encoder.endpoint with {MODEL} and all {DIMENSIONS:,}"
        " dimensions, then import again."
    )


def _add_imported(
    catalogue: Catalogue,
    vectors: PublishedVectors,
    places: list[tuple[int, AdapterKey]],
    chroma: bool,
    progress: Progress,
) -> int:
    index = catalogue.index
    if not chroma and isinstance(index, ImportedIndex):
        known, write = index.published(), index.add_imported
        return ImportVectors(catalogue.ingest, catalogue.embed.made_from, known)(
            vectors, places, write, progress
        )
    prints = [index.fingerprints(view) for view in VIEWS]
    imported = index.published() if isinstance(index, ImportedIndex) else {}
    own = {key: tuple(of.get(key, "") for of in prints) for key in prints[0] if key not in imported}
    return ImportVectors(catalogue.ingest, catalogue.embed.made_from, own)(
        vectors, places, into(index.write), progress
    )


@contextmanager
def llm_refiner(model: LanguageModel, pictures: int, fetch: bool) -> Iterator[LlmRefiner]:
    """A refiner that sends up to `pictures` per card; `fetch` allows pictures not on disk."""
    thumbnails = Thumbnails()
    remote = RemotePictures(thumbnails) if fetch and pictures else None
    refiner = LlmRefiner(model.client(), CardImages(pictures, thumbnails, remote))
    try:
        yield refiner
    finally:
        refiner.close()


def run_refiner(
    catalogue: Catalogue, model: LanguageModel, request: RefineInput, progress: Progress
) -> RefineReport:
    """Refines descriptions, or estimates the cost; makes no vectors."""
    keys = None
    if request.keys is not None:
        keys = tuple(dict.fromkeys(catalogue.entry(name).key for name in request.keys))
    limits = RefineLimits(
        at_once=request.at_once,
        most=request.most,
        dollars=request.dollars,
        tokens=request.tokens,
        on_disk=request.on_disk,
        again=request.again,
        keys=keys,
    )
    with llm_refiner(model, request.pictures, request.fetch_pictures) as refiner:
        pace = Pace(_MINUTE_S / request.per_minute if request.per_minute else 0.0)
        attempts = FailedAttempts(catalogue.ingest.memory, _FAILED_ATTEMPTS)
        job = RefineCatalogue(catalogue.store, refiner, attempts, catalogue.write_lock, pace.wait)
        return job.estimate(limits) if request.dry_run else job(limits, progress)


def refine(
    catalogue: Catalogue,
    model: LanguageModel,
    warm: Warm,
    request: RefineInput,
    progress: Progress,
) -> dict[str, Any]:
    """Has the language model write descriptions, then makes vectors of the new texts."""
    report = run_refiner(catalogue, model, request, progress)
    made, vector_notes = 0, tuple[Note, ...]()
    if report.refined:
        with catalogue.write_lock:
            made, vector_notes = catalogue.update_vectors(progress)
        warm()
    return {
        **asdict(report),
        "reasons": dict(report.reasons),
        "dry_run": request.dry_run,
        "vectors": made,
        "notes": _notes(catalogue.new_notes(), vector_notes),
    }


def _notes(*groups: Iterable[Note]) -> list[dict[str, Any]]:
    unique = dict.fromkeys(note for group in groups for note in group)
    return [asdict(note) for note in unique]
