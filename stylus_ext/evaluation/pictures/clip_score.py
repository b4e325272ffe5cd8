"""CLIPScore: how well a picture fits the user's prompt, by a CLIP model on this machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.features import missing_packages

if TYPE_CHECKING:
    from stylus_ext.evaluation.pictures.metrics import PictureSet, Values

PAPER_MODEL = "openai/clip-vit-large-patch14"
"""The model of the paper's figures."""

_AT_ONCE = 8


class ClipScore:
    """100 times the cosine of the prompt and the picture, at least 0. Nothing is downloaded."""

    name = "clip-score"
    better = "higher"

    def __init__(self, model: str = PAPER_MODEL) -> None:
        self._name = model
        self.about = f"fit of prompt and picture by {model}: 100 x cosine"
        self._loaded: tuple[Any, Any] | None = None

    def missing(self, pictures: PictureSet) -> str:  # noqa: ARG002
        if missing := missing_packages("transformers", "torch"):
            return missing
        try:
            self._load()
        except (OSError, ValueError, RuntimeError):
            return (
                f"The model {self._name} is not on this machine. Name a folder with --clip-model."
            )
        return ""

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import CLIPModel, CLIPProcessor

            model = CLIPModel.from_pretrained(self._name, local_files_only=True).eval()
            processor = CLIPProcessor.from_pretrained(
                self._name, local_files_only=True, use_fast=False
            )
            self._loaded = model, processor
        return self._loaded

    def values(self, pictures: PictureSet, progress: Progress) -> Values:
        scores: dict[tuple[str, int], list[float]] = defaultdict(list)
        every = pictures.pictures
        for start in range(0, len(every), _AT_ONCE):
            progress.report("CLIPScore", start, len(every))
            batch = every[start : start + _AT_ONCE]
            texts = [pictures.prompts[each.prompt] for each in batch]
            found = self.scores(texts, [pictures.file(each) for each in batch])
            for each, score in zip(batch, found, strict=True):
                scores[each.arm, each.prompt].append(score)
        means: dict[str, dict[int, float]] = defaultdict(dict)
        for (arm, prompt), group in scores.items():
            means[arm][prompt] = sum(group) / len(group)
        return means

    def scores(self, texts: Sequence[str], files: Sequence[Path]) -> list[float]:
        """The score of each text with the picture of the same place."""
        import torch
        from PIL import Image

        model, processor = self._load()
        images = []
        for file in files:
            with Image.open(file) as picture:
                images.append(picture.convert("RGB"))
        inputs = processor(
            text=list(texts), images=images, return_tensors="pt", padding=True, truncation=True
        )
        with torch.inference_mode():
            found = model(**inputs)
        cosines = (found.image_embeds * found.text_embeds).sum(dim=-1).numpy()
        return [float(100 * value) for value in np.clip(cosines, 0, None)]
