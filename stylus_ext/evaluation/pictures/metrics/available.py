"""All metrics, in the order of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.pictures.metrics import Metric, SetMetric, features
from stylus_ext.evaluation.pictures.metrics.clip import (
    PAPER_MODEL,
    PICK_MODEL,
    ClipModel,
    ClipScore,
    PickScore,
)
from stylus_ext.evaluation.pictures.metrics.distances import CMMD, KID, DistanceToReal, Frechet
from stylus_ext.evaluation.pictures.metrics.features import (
    EfficientNetFeatures,
    FeatureExtractor,
)
from stylus_ext.evaluation.pictures.metrics.inception import Inception
from stylus_ext.evaluation.pictures.metrics.lpips import LpipsDiversity
from stylus_ext.evaluation.pictures.metrics.per_prompt import (
    ChangeMetric,
    CostMetric,
    DiversityMetric,
)
from stylus_ext.evaluation.pictures.metrics.rewards import reward_metrics

FID, EFFICIENTNET_FRECHET, CLIP_SCORE = "fid", "efficientnet-frechet", ClipScore.name
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class MetricSources:
    """Where the models' weights and the real pictures are."""

    clip_model: str = PAPER_MODEL
    pick_model: str = PICK_MODEL
    inception: Path | None = None
    reference_pictures: Path | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    per_prompt: Sequence[Metric] = ()
    of_sets: Sequence[SetMetric] = ()


def all_metrics(sources: MetricSources) -> Metrics:
    """Every metric; models are loaded from this machine alone."""
    small = EfficientNetFeatures()
    inception = FeatureExtractor(Inception(sources.inception))
    clip = ClipModel(sources.clip_model, "--clip-model")
    embeddings = FeatureExtractor(clip)
    real = _pictures_of(sources.reference_pictures)
    return Metrics(
        [
            ClipScore(clip, embeddings),
            PickScore(ClipModel(sources.pick_model, "--pick-model")),
            *reward_metrics(),
            *_diversity(small, inception),
            LpipsDiversity(),
            ChangeMetric(small),
            *_costs(),
        ],
        [
            DistanceToReal(
                FID,
                "Fréchet distance to real pictures by Inception's features",
                inception,
                Frechet(),
                real,
            ),
            DistanceToReal(
                "kid",
                "kernel distance to real pictures by Inception's features",
                inception,
                KID,
                real,
            ),
            DistanceToReal(
                "cmmd", f"kernel distance to real pictures by {clip.name}", embeddings, CMMD, real
            ),
            DistanceToReal(
                EFFICIENTNET_FRECHET,
                "Fréchet distance to real pictures by efficientnet's features; not FID",
                small,
                Frechet(),
                real,
            ),
            DistanceToReal(
                "efficientnet-kernel",
                "kernel distance to real pictures by efficientnet's features; not KID",
                small,
                KID,
                real,
            ),
        ],
    )


def _diversity(small: FeatureExtractor, inception: FeatureExtractor) -> list[DiversityMetric]:
    return [
        DiversityMetric(
            "dfid",
            "trace of the covariance of Inception's features of one prompt's pictures",
            inception,
            features.spread,
        ),
        DiversityMetric(
            "efficientnet-diversity",
            "mean pairwise feature distance of one prompt's pictures",
            small,
            features.mean_pairwise_distance,
        ),
        DiversityMetric(
            "efficientnet-spread",
            "trace of the covariance of the features of one prompt's pictures",
            small,
            features.spread,
        ),
    ]


def _costs() -> list[CostMetric]:
    return [
        CostMetric("seconds", "seconds for a picture", lambda each: each.seconds),
        CostMetric(
            "planning-seconds",
            "seconds of planning per picture",
            lambda each: each.planning_seconds,
        ),
        CostMetric(
            "memory",
            "most GPU memory for a picture, in MB",
            lambda each: each.memory_mb,
            "No GPU memory is stated for these pictures.",
        ),
    ]


def _pictures_of(folder: Path | None) -> list[Path]:
    """The real pictures, those of its folders included."""
    if folder is None:
        return []
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise InvalidInput(f"There are no pictures in {folder}.")
    return found
