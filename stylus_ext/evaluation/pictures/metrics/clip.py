"""Metrics by a CLIP model on this machine: CLIPScore, and PickScore. Nothing is downloaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.metrics import (
    HIGHER,
    PictureSet,
    Values,
    missing_packages,
)
from stylus_ext.evaluation.pictures.metrics.features import FeatureExtractor, Features

PAPER_MODEL = "openai/clip-vit-large-patch14"
"""The model of the paper's figures."""
PICK_MODEL = "yuvalkirstain/PickScore_v1"

_AT_ONCE = 32


class ClipModel:
    """Embeddings of pictures and texts, of length 1. `flag` names the model."""

    def __init__(self, name: str, flag: str) -> None:
        self.name, self._flag = name, flag
        self._loaded: tuple[Any, Any] | None = None

    def missing(self) -> str:
        if missing := missing_packages("transformers", "torch"):
            return missing
        try:
            self._load()
        except (OSError, ValueError, RuntimeError):
            return (
                f"The model {self.name} is not on this machine. Download it, and name its folder"
                f" with {self._flag}."
            )
        return ""

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import CLIPModel, CLIPProcessor

            model = CLIPModel.from_pretrained(self.name, local_files_only=True).eval()
            processor = CLIPProcessor.from_pretrained(
                self.name, local_files_only=True, use_fast=False
            )
            self._loaded = model, processor
        return self._loaded

    @property
    def scale(self) -> float:
        """The factor of the cosine in the model's own score."""
        return float(self._load()[0].logit_scale.detach().exp())

    def features(self, files: Sequence[Path]) -> Features:
        import torch
        from PIL import Image

        model, processor = self._load()
        images = []
        for file in files:
            with Image.open(file) as picture:
                images.append(picture.convert("RGB"))
        inputs = processor(images=images, return_tensors="pt")
        with torch.inference_mode():
            return _unit_rows(model.get_image_features(**inputs).numpy())

    def text_features(self, texts: Sequence[str]) -> Features:
        """A row for each text; long texts are cut."""
        import torch

        model, processor = self._load()
        rows = []
        for start in range(0, len(texts), _AT_ONCE):
            inputs = processor(
                text=list(texts[start : start + _AT_ONCE]),
                return_tensors="pt",
                padding=True,
                truncation=True,
            )
            with torch.inference_mode():
                rows.append(model.get_text_features(**inputs).numpy())
        return _unit_rows(np.concatenate(rows))


def _unit_rows(rows: Features) -> Features:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class PromptFit(ABC):
    """The cosine of the prompt and the picture, times a factor."""

    better = HIGHER

    def __init__(self, model: ClipModel, pictures: FeatureExtractor | None = None) -> None:
        self._model = model
        self._pictures = pictures or FeatureExtractor(model)

    def missing(self, pictures: PictureSet) -> str:  # noqa: ARG002
        return self._pictures.missing()

    def values(self, pictures: PictureSet, progress: Progress) -> Values:
        texts = [pictures.prompts[each.prompt] for each in pictures.pictures]
        scores = self.scores(texts, pictures.files, progress)
        score_of = {
            each.place: score for each, score in zip(pictures.pictures, scores, strict=True)
        }
        return pictures.means(lambda each: score_of[each.place])

    def scores(
        self, texts: Sequence[str], files: Sequence[Path], progress: Progress
    ) -> list[float]:
        """The score of each text with the picture of the same place."""
        distinct = list(dict.fromkeys(texts))
        text_rows = dict(zip(distinct, self._model.text_features(distinct), strict=True))
        pairs = zip(texts, self._pictures.of(files, progress), strict=True)
        return [self._score(float(text_rows[text] @ row)) for text, row in pairs]

    @abstractmethod
    def _score(self, cosine: float) -> float: ...


class ClipScore(PromptFit):
    """100 times the cosine, at least 0."""

    name = "clip-score"

    @property
    def about(self) -> str:
        return f"fit of prompt and picture by {self._model.name}: 100 x cosine"

    def _score(self, cosine: float) -> float:
        return 100 * max(cosine, 0.0)


class PickScore(PromptFit):
    """The cosine times the model's own factor, as its authors use it."""

    name = "pick-score"

    @property
    def about(self) -> str:
        return f"people's preference as {self._model.name} predicts it"

    def _score(self, cosine: float) -> float:
        return self._model.scale * cosine
