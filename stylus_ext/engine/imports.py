"""Published catalogues over HTTP: a folder goes in, counts of what was imported, and why the rest
was not, come out.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Progress
from stylus_ext.engine.schemas import Field, Schema

if TYPE_CHECKING:
    from stylus_ext.app.wiring_stylus import Stylus

IMPORT: Schema = {
    "format": Field(str, required=True, choices=("stylusdocs",)),
    "folder": Field(str, required=True, longest=4096),
    "vectors": Field(bool, True),
    "chroma": Field(bool, False),
    "embed": Field(bool, True),
}


def take_in(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """What has no published vector is embedded afterwards, unless that is not wanted now."""
    from stylus_ext.app.wiring_imports import ImportRequest, import_stylusdocs

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
