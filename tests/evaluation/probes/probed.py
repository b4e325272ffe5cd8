"""A WebUI's API whose LoRAs change pictures by known scales, and features for its pictures."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.cli import probe
from stylus_ext.cli.main import main
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.metrics.features import Features
from stylus_ext.evaluation.probes.run import Prober
from tests.evaluation.pictures.webui_double import Refused, WebUiDouble

SCALES = {"faint": 0.02, "gentle": 0.1, "medium": 0.2, "strong": 0.4, "nothing": 0.0}
TROUBLED = ("nan", "huge", "failing", "late")
NAMES = (*SCALES, *TROUBLED)
LATE = 1.25
_CELLS = 8
_CELL = 6
_TAG = re.compile(r"<lora:([^:>]+):([\d.]+)>")
IDLE = {"state": {"job": "", "job_count": 0}}
BUSY = {"state": {"job": "task(1)", "job_count": 1}}
PROGRESS = "progress?skip_current_image=true"


class ProbedWebUi(WebUiDouble):
    """`busy` says whether it makes a picture of the user's."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: Callable[[], bool] = lambda: False
        self.answers |= {
            "loras": [{"name": name, "path": f"/loras/{name}.safetensors"} for name in NAMES],
            PROGRESS: lambda: BUSY if self.busy() else IDLE,
        }
        self.draw = draw_with_loras

    @property
    def prompts(self) -> list[str]:
        return [str(request["prompt"]) for request in self.requests]


def draw_with_loras(prompt: str, seed: int) -> bytes:
    """A pattern of the prompt and the seed, moved by the LoRA in its own direction."""
    cells = _pattern(_TAG.sub("", prompt).strip()) + 0.1 * _pattern(f"seed {seed}") + 0.5
    for name, text in _TAG.findall(prompt):
        weight = float(text)
        if name == "failing":
            raise Refused(500)
        if name == "nan" or (name == "late" and weight >= LATE):
            cells = np.zeros_like(cells)
        elif name == "huge":
            cells = _pattern(f"{name} {weight}") + 0.5
        else:
            cells = cells + weight * SCALES.get(name, 0.2) * _pattern(f"lora {name}")
    return _png(cells)


def _pattern(text: str) -> NDArray[Any]:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return np.random.default_rng(number).uniform(-0.3, 0.3, (_CELLS, _CELLS, 3))


def _png(cells: NDArray[Any]) -> bytes:
    from PIL import Image

    pixels = (np.clip(cells, 0, 1) * 255).round().astype(np.uint8)
    file = BytesIO()
    large = pixels.repeat(_CELL, axis=0).repeat(_CELL, axis=1)
    Image.fromarray(large).save(file, "PNG")
    return file.getvalue()


class CellFeatures:
    """The colours of the cells."""

    def missing(self) -> str:
        return ""

    def of(self, files: Sequence[Path], progress: Progress) -> list[Features]:
        progress.report("Comparing pictures", 0, len(files))
        return list(map(_cells, files))


def _cells(file: Path) -> Features:
    from PIL import Image

    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float32)
    return np.asarray(pixels[::_CELL, ::_CELL].ravel() / 255, np.float32)


if __name__ == "__main__":
    vars(probe).update(EfficientNetFeatures=CellFeatures, Prober=partial(Prober, rest_s=0.0))
    sys.exit(main(sys.argv[1:]))
