"""Reads LoRA folders: before a plan, within its deadline, or as a request of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stylus_ext.core.errors import DeadlineExceeded, Note
from stylus_ext.core.generation import EngineAnswerState, FolderState
from stylus_ext.core.ports import Progress
from stylus_ext.engine.catalogue import Catalogue
from stylus_ext.engine.requests import FoldersInput
from stylus_ext.selection.plan import Deadline

_TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class FoldersRead:
    """What became of the folders, and of the index over the whole catalogue."""

    state: FolderState = FolderState.NONE
    notes: tuple[Note, ...] = ()
    index_complete: bool = True


@dataclass(frozen=True, slots=True)
class _DeadlineProgress:
    """Ends work when its deadline has passed."""

    progress: Progress
    deadline: Deadline

    def report(self, step: str, done: int, total: int | None = None) -> None:
        self.deadline.check(f"{step} was over")
        self.progress.report(step, done, total)


def read_folders(
    catalogue: Catalogue, folders: Sequence[str], progress: Progress, deadline: Deadline, wait: bool
) -> FoldersRead:
    """Reads what is new; `wait` waits for whatever else changes the catalogue."""
    state, notes = _read(catalogue, folders, progress, deadline, wait) if folders else (None, [])
    partial = catalogue.embed.note()
    return FoldersRead(
        FolderState.NONE if state is None else state,
        (*notes, *([partial] if partial else [])),
        partial is None,
    )


def _read(
    catalogue: Catalogue, folders: Sequence[str], progress: Progress, deadline: Deadline, wait: bool
) -> tuple[FolderState, list[Note]]:
    if not _locked(catalogue, progress, deadline, wait):
        text = "The catalogue is just being brought up to date; this plan used what was there."
        return FolderState.BUSY, [Note("busy", text)]
    try:
        read = catalogue.index_folders(folders, _DeadlineProgress(progress, deadline))
    except DeadlineExceeded as error:
        note = Note("late", f"The LoRA folder was not read to its end: {error}")
        return FolderState.LATE, [note]
    finally:
        catalogue.write_lock.release()
    return FolderState.READ, list(read.notes)


def _locked(catalogue: Catalogue, progress: Progress, deadline: Deadline, wait: bool) -> bool:
    if catalogue.write_lock.acquire(blocking=False):
        return True
    while wait and deadline.left() != 0.0:
        if catalogue.write_lock.acquire(timeout=_TICK_S):
            return True
        progress.report("waiting for the catalogue", 0)  # ends the wait when the engine stops
    return False


def folders(catalogue: Catalogue, request: FoldersInput, progress: Progress) -> dict[str, Any]:
    started = time.perf_counter()
    deadline = Deadline(request.deadline_s)
    read = read_folders(catalogue, request.lora_dirs, progress, deadline, wait=request.wait)
    whole = read.state is FolderState.READ and read.index_complete
    state = EngineAnswerState(
        folders=read.state, index_complete=read.index_complete, repeatable=whole
    )
    return {
        "state": state.to_json(),
        "notes": [{"code": note.code, "text": note.text} for note in read.notes],
        "elapsed_ms": round((time.perf_counter() - started) * 1000, 1),
    }
