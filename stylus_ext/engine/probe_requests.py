"""The input of each operation on probes as a pydantic model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stylus_ext.engine.inputs import (
    InputPart,
    KeyText,
    Longest,
    Name,
    OperationInput,
    Seed,
    Weight,
    Whole,
)
from stylus_ext.engine.requests import KeyInput


class ProbeSettingsInput(InputPart):
    """What the pictures of a probe are made with; the first weight is 0."""

    checkpoint: Annotated[str, Longest(1000)]
    width: Whole = Field(ge=16, le=4096)
    height: Whole = Field(ge=16, le=4096)
    steps: Whole = Field(ge=1, le=1000)
    cfg: float = Field(ge=0.0, le=100.0)
    sampler: Name
    weights: list[Weight] = Field(min_length=2, max_length=20)
    prompts: list[Annotated[str, Longest(1000)]] = Field(min_length=2, max_length=20)
    seeds: list[Seed] = Field(min_length=1, max_length=20)
    features: Name


class ProbesInput(OperationInput):
    """`keys` of null stands for all LoRAs on disk; `settings` is the fingerprint of a probe's."""

    family: Name
    keys: list[KeyText] | None = Field(default=None, max_length=10_000)
    settings: Name = ""


class ProbePicturesInput(KeyInput):
    """The pictures that are still to be made."""

    settings: ProbeSettingsInput


class ProbePictureInput(ProbePicturesInput):
    """One picture, by the numbers of its weight, prompt and seed; without `data` it failed."""

    weight: Whole = Field(ge=0, le=19)
    prompt: Whole = Field(ge=0, le=19)
    seed: Whole = Field(ge=0, le=19)
    data: Annotated[str, Longest(32 * 1024 * 1024)] = ""


class MeasureInput(ProbePicturesInput):
    """Measure the pictures that are there."""


class KeepProbeInput(KeyInput):
    """A measurement; `preview` is a picture as base64."""

    strength: float = Field(ge=0.0)
    consistency: float = Field(ge=0.0, le=1.0)
    breaks_at: Weight | None = None
    weight: Weight | None = None
    trouble: Literal["", "broken", "failed", "no_effect"] = ""
    checkpoint: Annotated[str, Longest(1000)]
    features: Name
    settings: Name
    preview: Annotated[str, Longest(32 * 1024 * 1024)] = ""
