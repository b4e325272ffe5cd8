"""The process that the engine asks to measure one LoRA: JSON on standard input and output."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import StylusError
from stylus_ext.core.probing import ProbeSettings
from stylus_ext.engine.probes import ProbePictures
from stylus_ext.evaluation.pictures.metrics.features import EfficientNetFeatures
from stylus_ext.evaluation.probes.pictures import FeatureSpace, measure_lora, shown_place


class _NoProgress:
    def report(self, step: str, done: int, total: int | None = None) -> None: ...


def answer(request: dict[str, Any], space: FeatureSpace) -> dict[str, Any]:
    """The measurement and the place of the picture to show, or an error for people."""
    settings = ProbeSettings.from_json(request["settings"])
    missing = space.missing()
    if missing:
        return {"error": missing}
    pictures = ProbePictures(Path(request["folder"]))
    try:
        found = measure_lora(pictures, settings, request["lora"], space, _NoProgress())
    except StylusError as error:
        return {"error": str(error)}
    shown = shown_place(settings, found)
    return {**asdict(found), "shown": None if shown is None else asdict(shown)}


def main(space: FeatureSpace) -> None:
    with redirect_stdout(sys.stderr):  # libraries may print
        found = answer(json.load(sys.stdin), space)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(EfficientNetFeatures())
