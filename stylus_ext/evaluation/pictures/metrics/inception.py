"""The features of FID: torch-fidelity's Inception network with the weights of TensorFlow's."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251  torch raises it for a wrong file
from types import ModuleType
from typing import Any

import numpy as np

from stylus_ext.evaluation.pictures.metrics import missing_packages
from stylus_ext.evaluation.pictures.metrics.features import Features, read_pixels

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
"""The file of torch-fidelity's release 0.2.0."""

_LIBRARY = "torch_fidelity"
_SIDE = 299


def weights_file(named: Path | None) -> Path:
    """The named file, or torch's folder of downloaded weights."""
    return named or torch_weights(WEIGHTS)


def torch_weights(name: str) -> Path:
    """A file in the folder that torch keeps downloaded weights in."""
    import torch

    return Path(torch.hub.get_dir(), "checkpoints", name)


class Inception:
    """2,048 features of Inception 3, of pictures scaled to 299 x 299 with a bicubic filter."""

    def __init__(self, weights: Path | None = None) -> None:
        self._named = weights
        self._model: Any = None

    def missing(self) -> str:
        if missing := missing_packages(_LIBRARY, "torch"):
            return missing
        file = weights_file(self._named)
        if not file.is_file():
            return f"There is no {file}. Put {WEIGHTS} there, or name it with --inception."
        try:
            self._load()
        except (OSError, RuntimeError, ValueError, UnpicklingError, EOFError):
            return f"{file} has no weights of this network. Put {WEIGHTS} there."
        return ""

    def features(self, files: Sequence[Path]) -> Features:
        import torch

        pixels = np.stack([read_pixels(file, _SIDE) for file in files]).transpose(0, 3, 1, 2)
        with torch.inference_mode():
            (found,) = self._load()(torch.from_numpy(pixels.copy()))
        return np.asarray(found.numpy(), np.float32)

    def _load(self) -> Any:
        if self._model is None:
            import torch

            file = weights_file(self._named)
            # The library unpickles its file. This refuses a file with anything but tensors first.
            torch.load(file, map_location="cpu", weights_only=True)
            network = network_class()
            self._model = network("inception", ["2048"], feature_extractor_weights_path=str(file))
        return self._model


def network_class() -> Any:
    """The class, without the package's other networks, which need torchvision."""
    if _LIBRARY not in sys.modules:
        spec = importlib.util.find_spec(_LIBRARY)
        package = ModuleType(_LIBRARY)
        package.__path__ = list(spec.submodule_search_locations or []) if spec else []
        package.__spec__ = spec
        sys.modules[_LIBRARY] = package
    module = importlib.import_module(f"{_LIBRARY}.feature_extractor_inceptionv3")
    return module.FeatureExtractorInceptionV3
