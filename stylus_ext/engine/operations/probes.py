"""Operations on probes: which LoRAs to measure, their pictures, and what was found."""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from stylus_ext.core.adapter_type import LORA
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.family import UNKNOWN, Compatibility, compatibility
from stylus_ext.core.ports import Filter, Progress
from stylus_ext.core.probe import Probe
from stylus_ext.core.probing import ProbePlace, ProbeSettings
from stylus_ext.engine.catalogue import Catalogue
from stylus_ext.engine.measuring import MeasuringProcess
from stylus_ext.engine.probe_requests import (
    KeepProbeInput,
    MeasureInput,
    ProbePictureInput,
    ProbePicturesInput,
    ProbesInput,
)
from stylus_ext.engine.probes import ProbePictures, ProbePreviews, file_id

_MOST = 100_000


def probes(
    catalogue: Catalogue, measuring: MeasuringProcess, request: ProbesInput
) -> dict[str, Any]:
    """LoRAs on disk that this checkpoint's family can use, with what is known of them."""
    if request.keys is None:
        keep = Filter(on_disk=True, type=LORA)
        entries = catalogue.store.search("", keep, limit=_MOST).entries
    else:
        entries = tuple(map(catalogue.entry, request.keys))
    is_named = request.keys is not None
    fitting = [entry for entry in entries if _fits(entry, request.family, is_named=is_named)]
    return {
        "entries": [_row(entry, request.settings) for entry in fitting],
        "left_out": len(entries) - len(fitting),
        "why_not": measuring.why_not(),
    }


def _fits(entry: Entry, family: str, *, is_named: bool) -> bool:
    if entry.type != LORA or entry.stem is None:
        return False
    if entry.family == UNKNOWN:
        return is_named
    return compatibility(entry.family, family) is Compatibility.FULL


def _row(entry: Entry, settings: str) -> dict[str, Any]:
    probe = entry.probe
    return {
        "key": str(entry.key),
        "name": entry.card.name,
        "stem": entry.stem,
        "file": file_id(entry.files[0]),
        "measured": probe is not None and probe.settings == settings,
        "probe": None if probe is None else asdict(probe),
    }


def probe_pictures(catalogue: Catalogue, request: ProbePicturesInput) -> dict[str, Any]:
    """The pictures that a probe still needs, in the order of making."""
    pictures, settings, lora = _pictures(catalogue, request)
    places = [*settings.bases(), *settings.places()]
    missing = [asdict(place) for place in places if not pictures.has(place, lora)]
    return {"missing": missing, "pictures": len(places)}


def probe_picture(catalogue: Catalogue, request: ProbePictureInput) -> dict[str, Any]:
    """Keep one picture, or the fact that it could not be made."""
    pictures, settings, lora = _pictures(catalogue, request)
    place = ProbePlace(request.weight, request.prompt, request.seed)
    if place not in {*settings.bases(), *settings.places()}:
        raise InvalidInput("A probe with these settings has no such picture.")
    if not request.data and not place.weight:
        raise InvalidInput("Without pictures without a LoRA nothing can be measured.")
    pictures.keep(place, lora, _decoded(request.data) if request.data else None)
    return {}


def measure(
    catalogue: Catalogue,
    previews: ProbePreviews,
    measuring: MeasuringProcess,
    request: MeasureInput,
    progress: Progress,
) -> dict[str, Any]:
    """Measure the pictures of one LoRA in the environment for that, and keep what is found."""
    pictures, settings, lora = _pictures(catalogue, request)
    if any(not pictures.has(place, lora) for place in settings.places()):
        raise InvalidInput("Not all pictures of this probe are there.")
    progress.report("Comparing pictures", 0)
    found = measuring(
        {"folder": str(pictures.folder), "lora": lora, "settings": asdict(settings)}, progress
    )
    shown = found.pop("shown")
    picture = None if shown is None else pictures.file(ProbePlace(**shown), lora).read_bytes()
    fields = {name: found[name] for name in _MEASURED}
    answer = _keep(catalogue, previews, request.key, _probe(settings, fields), picture)
    pictures.forget(lora)
    return answer


_MEASURED = ("strength", "consistency", "breaks_at", "weight", "trouble")


def _probe(settings: ProbeSettings, fields: dict[str, Any]) -> Probe:
    return Probe(
        **fields,
        checkpoint=settings.checkpoint,
        features=settings.features,
        settings=settings.fingerprint,
        made="",
        size=0,
    )


def keep_probe(
    catalogue: Catalogue, previews: ProbePreviews, request: KeepProbeInput
) -> dict[str, Any]:
    """Keep a measurement made elsewhere, such as by `install.py probe`."""
    fields = request.model_dump(exclude={"key", "preview"})
    picture = _decoded(request.preview) if request.preview else None
    probe = Probe(**fields, made="", size=0)
    return _keep(catalogue, previews, request.key, probe, picture)


def _keep(
    catalogue: Catalogue, previews: ProbePreviews, key: str, probe: Probe, picture: bytes | None
) -> dict[str, Any]:
    entry = catalogue.entry(key)
    if not entry.files:
        raise InvalidInput(f"{entry.card.name} has no file, so no probe of it is kept.")
    file, before = entry.files[0], entry.probe.preview if entry.probe else ""
    name = previews.keep(picture) if picture is not None else ""
    kept = replace(
        probe,
        made=date.today().isoformat(),
        size=file.size,
        sha256=file.sha256 or "",
        preview=name,
    )
    with catalogue.write_lock:
        catalogue.store.probes.keep(entry.key, kept)
    if before != name:
        previews.forget(before)
    return {"probe": asdict(kept)}


def _pictures(
    catalogue: Catalogue, request: ProbePicturesInput
) -> tuple[ProbePictures, ProbeSettings, str]:
    entry = catalogue.entry(request.key)
    if not entry.files:
        raise InvalidInput(f"{entry.card.name} has no file, so it cannot be measured.")
    settings = ProbeSettings.from_json(request.settings.model_dump())
    if settings.weights[0] != 0 or list(settings.weights) != sorted(set(settings.weights)):
        raise InvalidInput("The weights of a probe rise, and the first is 0.")
    pictures = ProbePictures.of(catalogue.folder, settings.fingerprint)
    return pictures, settings, file_id(entry.files[0])


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("The picture is not base64.") from error
