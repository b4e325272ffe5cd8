"""Measure one LoRA by the pictures that were made with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from stylus_ext.core.ports import Progress
from stylus_ext.core.probing import ProbePlace, ProbeSettings
from stylus_ext.engine.probes import ProbePictures
from stylus_ext.evaluation.pictures.metrics.features import Features
from stylus_ext.evaluation.probes.measure import Measurement, ProbeFeatures, measure

_FLAT = 2.0
"""A picture whose channels deviate less (of 255) has one colour."""


class FeatureSpace(Protocol):
    """Features of picture files; `missing` says why there are none on this machine."""

    def missing(self) -> str: ...

    def of(self, files: Sequence[Path], progress: Progress) -> list[Features]: ...


def measure_lora(
    pictures: ProbePictures,
    settings: ProbeSettings,
    lora: str,
    space: FeatureSpace,
    progress: Progress,
) -> Measurement:
    places = [*settings.bases(), *settings.places()]
    there = [place for place in places if not pictures.has_failed(place, lora)]
    files = [pictures.file(place, lora) for place in there]
    found = dict(zip(there, space.of(files, progress), strict=True))
    shape = len(settings.weights), len(settings.prompts), len(settings.seeds)
    dimensions = next(iter(found.values())).shape[0]
    values = np.zeros((*shape, dimensions))
    blank, failed = np.zeros(shape, np.bool_), np.ones(shape, np.bool_)
    for (place, features), file in zip(found.items(), files, strict=True):
        at = place.weight, place.prompt, place.seed
        values[at], failed[at], blank[at] = features, False, is_blank(file)
    return measure(ProbeFeatures(settings.weights, values, blank, failed))


def is_blank(file: Path) -> bool:
    """Whether a picture has one colour only, as one of NaN has."""
    from PIL import Image

    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float32)
    return bool((pixels.std(axis=(0, 1)) < _FLAT).all())


def shown_place(settings: ProbeSettings, found: Measurement) -> ProbePlace | None:
    """The picture that shows the LoRA best: at its weight, else the highest sound one up to 1."""
    if found.trouble:
        return None
    sound = [
        number
        for number, weight in enumerate(settings.weights)
        if 0 < weight <= (found.weight or 1.0)
        and (found.breaks_at is None or weight < found.breaks_at)
    ]
    return ProbePlace(sound[-1], 0, 0) if sound else None
