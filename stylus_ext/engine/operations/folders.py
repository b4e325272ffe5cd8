"""Reads LoRA folders: before a plan, within its deadline, or as a request of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import DeadlineExceeded, Note
from stylus_ext.core.generation import EngineAnswerState, FolderState
from stylus_ext.core.ports import Progress
from stylus_ext.selection.plan import Deadline

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus

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
    stylus: Stylus, folders: Sequence[str], progress: Progress, deadline: Deadline, wait: bool
) -> FoldersRead:
    """Reads what is new; `wait` waits for whatever else changes the catalogue."""
    state, notes = _read(stylus, folders, progress, deadline, wait) if folders else (None, [])
    partial = stylus.embed.note()
    return FoldersRead(
        FolderState.NONE if state is None else state,
        (*notes, *([partial] if partial else [])),
        partial is None,
    )


def _read(
    stylus: Stylus, folders: Sequence[str], progress: Progress, deadline: Deadline, wait: bool
) -> tuple[FolderState, list[Note]]:
    if not _locked(stylus, progress, deadline, wait):
        text = "The catalogue is just being brought up to date; this plan used what was there."
        return FolderState.BUSY, [Note("busy", text)]
    try:
        read = stylus.index_folders(folders, _DeadlineProgress(progress, deadline))
    except DeadlineExceeded as error:
        note = Note("late", f"The LoRA folder was not read to its end: {error}")
        return FolderState.LATE, [note]
    finally:
        stylus.changing.release()
    return FolderState.READ, list(read.notes)


def _locked(stylus: Stylus, progress: Progress, deadline: Deadline, wait: bool) -> bool:
    if stylus.changing.acquire(blocking=False):
        return True
    while wait and deadline.left() != 0.0:
        if stylus.changing.acquire(timeout=_TICK_S):
            return True
        progress.report("waiting for the catalogue", 0)  # ends the wait when the engine stops
    return False


def folders(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    started = time.perf_counter()
    deadline = Deadline(request["deadline_s"])
    read = read_folders(stylus, request["lora_dirs"], progress, deadline, wait=request["wait"])
    whole = read.state is FolderState.READ and read.index_complete
    state = EngineAnswerState(
        folders=read.state, index_complete=read.index_complete, repeatable=whole
    )
    return {
        "state": state.to_json(),
        "notes": [{"code": note.code, "text": note.text} for note in read.notes],
        "elapsed_ms": round((time.perf_counter() - started) * 1000, 1),
    }
