"""The planner of this WebUI process, made on first use, and the notes of the last generation."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from stylus_ext.core.errors import Note
from stylus_ext.host import compat, options
from stylus_ext.host.checkpoint import Remembered
from stylus_ext.host.planner import Planner, PlannerRegistry

TOKEN_VARIABLE = "STYLUS_ENGINE_TOKEN"  # noqa: S105
_last: list[str] = []


def make_planner(
    place: tuple[object, ...],  # noqa: ARG001
) -> Planner:
    from stylus_ext.host.engine.client import EngineClient
    from stylus_ext.host.engine.inventory import HostInventory
    from stylus_ext.host.engine.supervisor import current

    folder = options.data_folder()
    process = current(
        folder,
        url=options.own("engine_url"),
        token=os.environ.get(TOKEN_VARIABLE, ""),
        settings=options.engine_flags,
    )
    if process.remote:
        process.inventory = process.inventory or HostInventory(
            compat.listed_files, compat.listing, compat.cached_sha256
        )
    return Planner(
        process, EngineClient(process), Remembered(folder), compat.interrupted, compat.show_progress
    )


planners = PlannerRegistry(make_planner)


def current_planner() -> Planner:
    return planners.at(
        (options.data_folder(), options.own("engine_url"), tuple(options.engine_flags()))
    )


def show_notes(p: Any, notes: Iterable[Note]) -> None:
    """Show notes under the picture, and in the panel until the next one."""
    _last[:] = [note.text for note in notes]
    for text in _last:
        compat.comment(p, text if text.startswith("Stylus") else f"Stylus: {text}")


def last_notes() -> list[str]:
    return list(_last)
