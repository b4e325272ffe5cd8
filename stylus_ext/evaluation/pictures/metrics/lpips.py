"""Diversity by LPIPS, as torchmetrics measures it with AlexNet."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.metrics import HIGHER, PictureSet, Values, missing_packages
from stylus_ext.evaluation.pictures.metrics.inception import torch_weights
from stylus_ext.evaluation.pictures.metrics.per_prompt import PAIR, missing_pairs

WEIGHTS = "alexnet-owt-7be5be79.pth"
"""torchvision's weights of AlexNet; those of LPIPS come inside torchmetrics."""


class LpipsDiversity:
    """The mean LPIPS of each pair of one prompt's pictures in one arm."""

    name = "lpips-diversity"
    about = "mean pairwise LPIPS (AlexNet) of one prompt's pictures"
    better = HIGHER

    def __init__(self) -> None:
        self._model: Any = None

    def missing(self, pictures: PictureSet) -> str:
        if missing := missing_pairs(pictures) or missing_packages("torchmetrics", "torch"):
            return missing
        try:
            importlib.import_module("torchvision")
        except (ImportError, RuntimeError):
            return "It needs a torchvision that fits this torch. The torch of a WebUI has one."
        file = torch_weights(WEIGHTS)
        return "" if file.is_file() else f"There is no {file}. Put the weights of AlexNet there."

    def values(self, pictures: PictureSet, progress: Progress) -> Values:
        found: dict[str, dict[int, float]] = defaultdict(dict)
        groups = [each for each in pictures.groups() if len(each[2]) >= PAIR]
        for done, (arm, prompt, group) in enumerate(groups):
            progress.report("LPIPS", done, len(groups))
            found[arm][prompt] = self.mean_of_pairs([pictures.file(each) for each in group])
        return found

    def mean_of_pairs(self, files: Sequence[Path]) -> float:
        import torch

        model = self._load()
        read = [_read(file) for file in files]
        with torch.inference_mode():
            pairs = [float(model(one, other)) for one, other in combinations(read, PAIR)]
        return sum(pairs) / len(pairs)

    def _load(self) -> Any:
        if self._model is None:
            import torch
            from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

            # torchvision may unpickle the file. This refuses one with anything but tensors first.
            torch.load(torch_weights(WEIGHTS), map_location="cpu", weights_only=True)
            self._model = LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
        return self._model


def _read(file: Path) -> Any:
    import torch
    from PIL import Image

    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"), np.float32) / 255
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())
