"""Operations on downloaded files: fetch, discard and list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stylus_ext.core.adapter_type import LORA
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.downloads import discard as delete_unused
from stylus_ext.downloads.fetch import FetchMissing
from stylus_ext.engine.catalogue import Catalogue, checked_folders
from stylus_ext.engine.downloads import OFF, Downloads
from stylus_ext.engine.requests import DiscardInput, FetchInput

_MOST_FAVOURITES = 100_000


def fetch(
    catalogue: Catalogue, downloads: Downloads, request: FetchInput, progress: Progress
) -> dict[str, Any]:
    """Reads the folders before the download, to know what is there, and after it, for the next
    plan.
    """
    entries = list({entry.key: entry for entry in map(catalogue.entry, request.keys)}.values())
    if request.dry_run:
        checked_folders(request.lora_dirs)
        off = [] if downloads.on else [Note("downloads_off", OFF)]
        would = [_would_fetch(downloads, entry) for entry in entries]
        return _answer(downloads, would=would, notes=off)
    if not downloads.on:
        raise InvalidInput(OFF)
    if not (request.lora_dirs or request.embedding_dirs):
        raise InvalidInput(
            "No folder to fetch into. Name one such as models/Lora: --lora-dir, or 'lora_dirs'."
        )
    folders = checked_folders(request.lora_dirs)
    others = {name: checked_folders(of_type) for name, of_type in request.others.items()}
    catalogue.index_folders(folders, progress, others)
    hashes = {file.path: file.sha256 for file in catalogue.store.files().values() if file.sha256}
    file_names = catalogue.names().aliases.keys
    with downloads.downloader({LORA: folders, **others}, file_names, lambda: hashes) as downloader:
        report = FetchMissing(downloader, downloads.settings.at_once)(
            [entry.card for entry in entries], progress
        )
    for file in report.fetched:
        if not file.new:  # the user had it under another name, not hashed yet
            catalogue.hash_files.store_hash(file.path, file.sha256)
    notes = catalogue.index_folders(folders, progress, others).notes if report.fetched else ()
    return _answer(downloads, report.fetched, report.failed, notes=[*catalogue.new_notes(), *notes])


def discard(
    catalogue: Catalogue, downloads: Downloads, request: DiscardInput, progress: Progress
) -> dict[str, Any]:
    """Deletes fetched files that are unused for long and not marked `always`."""
    store = catalogue.store
    always = store.search("", Filter(state="always", on_disk=True), limit=_MOST_FAVOURITES)
    favourites = downloads.ledger_keys({entry.key for entry in always.entries})
    only = None
    if request.keys is not None:
        keys = {catalogue.entry(key).key for key in request.keys}
        only = downloads.ledger_keys(keys)
    found = list(
        delete_unused(
            downloads.ledger,
            favourites,
            request.days,
            lambda: progress.report("Deleting", 0),
            dry_run=request.dry_run,
            only=only,
        )
    )
    gone = [file for file in found if not file.why_not]
    if not request.dry_run and gone:
        with catalogue.write_lock:
            catalogue.refresh.forget([file.path for file in gone])
    return {
        "dry_run": request.dry_run,
        "discarded": [asdict(file) for file in gone],
        "kept": [asdict(file) for file in found if file.why_not],
        "used": downloads.ledger.total(),
        "left": downloads.caps().left,
    }


def storage(catalogue: Catalogue, downloads: Downloads) -> dict[str, Any]:
    """All fetched files, the longest unused first; times in seconds since 1970."""
    own, last_use = downloads.ledger.own(), downloads.ledger.last_use()
    entries = catalogue.store.read({AdapterKey.parse(file.key) for file in own})
    files = []
    for file in own:
        entry = entries.get(AdapterKey.parse(file.key))
        files.append(
            {
                "key": file.key,
                "name": entry.card.name if entry else "",
                "path": file.path,
                "size": file.size,
                "fetched": file.at,
                "used": last_use.get(file.key, file.at),
                "state": entry.edits.state if entry else "auto",
            }
        )
    return {
        "on": downloads.on,
        "files": sorted(files, key=lambda file: (file["used"], file["path"])),
        "used": sum(file.size for file in own),
        "quota": downloads.quota,
        "left": downloads.caps().left,
        "keep_free": downloads.keep_free,
    }


def _would_fetch(downloads: Downloads, entry: Entry) -> dict[str, Any]:
    """What a download would fetch, without asking any service."""
    remote = entry.card.remote
    why_not = "it is on disk already" if entry.files else downloads.caps().why_not(remote)
    return {
        "key": str(entry.key),
        "name": entry.card.name,
        "file": remote.name if remote else "",
        "size": remote.size if remote else 0,
        "sha256": remote.sha256 if remote else None,
        "why_not": why_not,
    }


def _answer(
    downloads: Downloads,
    fetched: Sequence[Any] = (),
    failed: Sequence[Any] = (),
    would: Sequence[dict[str, Any]] = (),
    notes: Sequence[Note] = (),
) -> dict[str, Any]:
    return {
        "fetched": [{**asdict(file), "key": str(file.key)} for file in fetched],
        "failed": [{**asdict(file), "key": str(file.key)} for file in failed],
        "would": list(would),
        "used": downloads.ledger.total(),
        "left": downloads.caps().left,
        "notes": [asdict(note) for note in notes],
    }
