"""Catalogues for the arms of the refiners: the same adapters, as one refiner describes each.

A catalogue lies beside the run and is made once, from a copy of the user's, which stays as it is.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from stylus_ext.catalogue.refine.by_refiner import (
    REFINERS,
    RefinerName,
    described_by,
    refiner_of,
)
from stylus_ext.catalogue.refine.caption_job import CaptionCatalogue
from stylus_ext.catalogue.store.opening import NAME
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.files import write_file
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Settings
from stylus_ext.engine.stylus import Stylus, open_stylus

PREFIX = "refiner-"
REFINER_ARMS = tuple(f"{PREFIX}{name}" for name in REFINERS)
CATALOGUES = "catalogues"
"""The folder of the catalogues below that of the run."""

_COMPLETE = "complete"
_ALWAYS = ("none", "rules")


def refiner_catalogue(
    arm: str,
    out: Path,
    user_folder: Path,
    settings: Settings,
    lora_dirs: Sequence[str],
    progress: Progress,
) -> Path:
    """The data folder of the arm's catalogue, made unless it is complete."""
    refiner = next(name for name in REFINERS if arm == f"{PREFIX}{name}")
    folder = out / CATALOGUES / refiner
    if (folder / _COMPLETE).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / NAME).exists():
        _copy(user_folder / NAME, folder / NAME)
    stylus = open_stylus(folder, settings)
    is_refused = False
    try:
        stylus.catalogue.load_starter(progress)
        store = stylus.catalogue.store
        store.remove([entry.key for entry in _entries(stylus) if not entry.files])
        if lora_dirs:
            stylus.catalogue.index_folders(lora_dirs, progress)
        entries = [entry for entry in _entries(stylus) if entry.files]
        job = CaptionCatalogue(store, user_folder, stylus.catalogue.write_lock)
        _check(refiner, entries, job)
        store.write([_described(refiner, entry, job) for entry in entries])
        stylus.catalogue.embed(progress)
    except InvalidInput:
        is_refused = True
        raise
    finally:
        stylus.close()
        if is_refused:  # the next try copies the user's catalogue anew
            shutil.rmtree(folder, ignore_errors=True)
    write_file(folder / _COMPLETE, refiner, durable=True)
    return folder


def _copy(file: Path, copy: Path) -> None:
    """Copy the user's catalogue, which an engine may have open."""
    if not file.exists():
        return
    unfinished = copy.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(unfinished)) as new,
    ):
        old.backup(new)
    unfinished.replace(copy)


def _entries(stylus: Stylus) -> Iterator[Entry]:
    changes = list(stylus.catalogue.store.changes(0))
    yield from (change.entry for change in changes if change.entry is not None)


def _check(refiner: RefinerName, entries: Sequence[Entry], job: CaptionCatalogue) -> None:
    """Refuse a refiner that has described nothing here: its arm would be that of the rules."""
    if not entries:
        raise InvalidInput("There are no adapters on disk. Name their folder with --lora-dir.")
    if refiner in _ALWAYS or any(refiner_of(entry.description) == refiner for entry in entries):
        return
    if refiner == "captions" and any(_captions(entry, job) for entry in entries):
        return
    raise InvalidInput(
        f"No adapter on disk has a description by the refiner {refiner!r}. Make them first, or"
        f" leave {PREFIX}{refiner} out of --arms."
    )


def _described(refiner: RefinerName, entry: Entry, job: CaptionCatalogue) -> Entry:
    captions = _captions(entry, job) if refiner == "captions" else ()
    return described_by(refiner, entry, captions)


def _captions(entry: Entry, job: CaptionCatalogue) -> Sequence[dict[str, str]]:
    return [dict(each) for each in job.captions(entry)]
