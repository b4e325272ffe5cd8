"""The small picture of an adapter that is not on disk: a key goes in, a JPEG as text comes out,
where that was switched on.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from stylus_ext.core.ports import Progress
from stylus_ext.engine.schemas import Field, Schema

if TYPE_CHECKING:  # with it come all back ends, which a command that attaches does not need
    from stylus_ext.app.wiring_stylus import Stylus

PICTURE: Schema = {"key": Field(str, required=True, longest=1000)}
_STEP = "fetching a picture"


def picture(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    data = stylus.pictures.small(
        stylus.entry(request["key"]).card, lambda: progress.report(_STEP, 0)
    )
    return {"type": "image/jpeg", "data": base64.b64encode(data).decode("ascii")}


def leaves(stylus: Stylus) -> list[str]:
    """Unlike what a command sends, this is asked for by whatever comes into sight."""
    if not stylus.settings.downloads.thumbnails:
        return []
    return [
        "small pictures of adapters in sight that are not on disk are fetched from Civitai's and"
        " Hugging Face's picture hosts, without a key"
    ]
