"""HPSv2 and ImageReward, where the user has installed their packages and weights."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import reason_of
from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.manifest import Place
from stylus_ext.evaluation.pictures.metrics import HIGHER, PictureSet, Values, missing_packages

Score = Callable[[str, Sequence[str]], Sequence[float]]
"""The scores of picture files for one prompt."""

_LEAST_TORCH = (2, 6)
"""Older ones unpickle whatever is in a file of weights."""


@dataclass(slots=True)
class RewardMetric:
    """People's preference, as a package predicts it; `load` gets the files of its weights."""

    name: str
    package: str
    weights: Sequence[Path]
    load: Callable[[Sequence[Path]], Score]
    better: str = HIGHER
    _score: list[Score] = field(default_factory=list)

    @property
    def about(self) -> str:
        return f"people's preference as the package {self.package} predicts it"

    def missing(self, pictures: PictureSet) -> str:  # noqa: ARG002
        if missing := missing_packages(self.package, "torch"):
            return missing
        for file in self.weights:
            if not file.is_file():
                return f"There is no {file}. Put the package's weights there."
        if _torch_version() < _LEAST_TORCH:
            return "It needs torch 2.6 or later, which reads tensors alone from a file of weights."
        try:
            self._loaded()
        except (ImportError, AttributeError, OSError, RuntimeError, ValueError) as error:
            return f"The package {self.package} does not run here: {reason_of(error)}."
        return ""

    def _loaded(self) -> Score:
        if not self._score:
            _stay_offline()
            with contextlib.redirect_stdout(sys.stderr):
                self._score.append(self.load(self.weights))
        return self._score[0]

    def values(self, pictures: PictureSet, progress: Progress) -> Values:
        score = self._loaded()
        found: dict[Place, float] = {}
        groups = list(pictures.groups())
        for done, (_, prompt, group) in enumerate(groups):
            progress.report(self.name, done, len(groups))
            files = [str(pictures.file(each)) for each in group]
            scores = score(pictures.prompts[prompt], files)
            places = [each.place for each in group]
            found.update(zip(places, map(float, scores), strict=True))
        return pictures.means(lambda each: found[each.place])


def _stay_offline() -> None:
    """These packages would download what they miss."""
    import huggingface_hub
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True
    huggingface_hub.configure_http_backend()


def _torch_version() -> tuple[int, ...]:
    import torch

    return tuple(int(part) for part in torch.__version__.split(".")[:2])


def reward_metrics(home: Path | None = None) -> list[RewardMetric]:
    """The weights lie where the packages themselves keep them."""
    cache = (home or Path.home()) / ".cache"
    return [
        RewardMetric("hpsv2", "hpsv2", [cache / "hpsv2" / "HPS_v2.1_compressed.pt"], _hpsv2),
        RewardMetric(
            "image-reward",
            "ImageReward",
            [cache / "ImageReward" / name for name in ("ImageReward.pt", "med_config.json")],
            _image_reward,
        ),
    ]


def _hpsv2(weights: Sequence[Path]) -> Score:
    library: Any = importlib.import_module("hpsv2.img_score")
    (file,) = weights

    def score(prompt: str, files: Sequence[str]) -> Sequence[float]:
        return list(library.score(list(files), prompt, cp=str(file), hps_version="v2.1"))

    return score


def _image_reward(weights: Sequence[Path]) -> Score:
    library: Any = importlib.import_module("ImageReward")
    model, config = map(str, weights)
    loaded = library.load(model, device="cpu", med_config=config)

    def score(prompt: str, files: Sequence[str]) -> Sequence[float]:
        return [loaded.score(prompt, file) for file in files]

    return score
