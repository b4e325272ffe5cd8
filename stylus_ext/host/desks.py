"""The desk of this WebUI, made when it is first needed, and what the latest generation had to
say.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from stylus_ext.core.errors import Note
from stylus_ext.host import compat, options
from stylus_ext.host.checkpoint import Remembered
from stylus_ext.host.desk import Desk, Desks

TOKEN_VARIABLE = "STYLUS_ENGINE_TOKEN"  # noqa: S105
_last: list[str] = []


def make_desk(
    place: tuple[object, ...],  # noqa: ARG001
) -> Desk:
    from stylus_ext.host.engine_client import EngineClient
    from stylus_ext.host.engine_process import current
    from stylus_ext.host.inventory import Shelf

    folder = options.data_folder()
    process = current(
        folder,
        url=options.own("engine_url"),
        token=os.environ.get(TOKEN_VARIABLE, ""),
        settings=options.engine_flags,
    )
    if process.remote:
        process.shelf = process.shelf or Shelf(
            compat.listed_files, compat.listing, compat.cached_sha256
        )
    return Desk(
        process, EngineClient(process), Remembered(folder), compat.interrupted, compat.show_progress
    )


desks = Desks(make_desk)


def desk_now() -> Desk:
    return desks.at(
        (options.data_folder(), options.own("engine_url"), tuple(options.engine_flags()))
    )


def tell(p: Any, notes: Iterable[Note]) -> None:
    """Under the picture, and in the panel until the next one."""
    _last[:] = [note.text for note in notes]
    for text in _last:
        compat.comment(p, text if text.startswith("Stylus") else f"Stylus: {text}")


def last_notes() -> list[str]:
    return list(_last)
