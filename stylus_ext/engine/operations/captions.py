"""Operations for descriptions from pictures; the WebUI makes the captions."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.refine.caption_job import CaptionCatalogue
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.engine.catalogue import Catalogue
from stylus_ext.engine.requests import CaptionInput, CaptionTargetsInput


def caption_targets(
    catalogue: Catalogue, folder: Path, request: CaptionTargetsInput, progress: Progress
) -> dict[str, Any]:
    """LoRAs to describe from their pictures, and the captions that are missing."""
    job = CaptionCatalogue(catalogue.store, folder, catalogue.write_lock)
    report = job.report(request.interrogators, progress)
    return {
        "adapters": len(report.targets),
        "pictures": report.pictures,
        "known": report.known,
        "edited": report.edited,
        "pictureless": report.pictureless,
        "targets": [
            {
                "key": str(target.key),
                "name": target.name,
                "pictures": [
                    {"path": picture.path, "lacks": list(picture.lacks)}
                    for picture in target.pictures
                ],
            }
            for target in report.targets[: request.most]
        ],
    }


def caption(
    catalogue: Catalogue, folder: Path, request: CaptionInput, progress: Progress
) -> dict[str, Any]:
    """Stores captions of a picture, or describes a LoRA if no picture is named."""
    job = CaptionCatalogue(catalogue.store, folder, catalogue.write_lock)
    key = AdapterKey.parse(request.key)
    if request.path is not None:
        if request.captions is None:
            return {"known": job.known(key, request.path, request.sha256), "described": False}
        captions = {str(name): text for name, text in request.captions.items()}
        job.keep(key, request.path, request.sha256, captions)
        return {"known": sorted(captions), "described": False}
    made = job.describe(key)
    if made:
        progress.report("embedding", 0, 1)
        with suppress(Unavailable):  # then the next update makes the vector
            catalogue.embed.embed_now([key])
    return {"known": [], "described": made}
