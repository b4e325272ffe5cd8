"""Metrics of time, memory, change and diversity. Each has a value for an arm and a prompt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.manifest import ArmPicture
from stylus_ext.evaluation.pictures.metrics import (
    HIGHER,
    LOWER,
    NEITHER,
    PictureSet,
    Values,
    features,
)
from stylus_ext.evaluation.pictures.metrics.features import FeatureExtractor

PAIR = 2


@dataclass(frozen=True, slots=True)
class CostMetric:
    """Seconds or memory of a picture, as it was made; None where it is unknown."""

    name: str
    about: str
    value: Callable[[ArmPicture], float | None]
    unknown: str = ""
    better: str = LOWER

    def missing(self, pictures: PictureSet) -> str:
        known = all(self.value(each) is not None for each in pictures.pictures)
        return "" if known else self.unknown

    def values(self, pictures: PictureSet, progress: Progress) -> Values:  # noqa: ARG002
        return pictures.means(lambda each: self.value(each) or 0.0)


@dataclass(frozen=True, slots=True)
class DiversityMetric:
    """A measure of the features of one prompt's pictures in one arm."""

    name: str
    about: str
    extractor: FeatureExtractor
    measure: Callable[[Sequence[features.Features]], float]
    better: str = HIGHER

    def missing(self, pictures: PictureSet) -> str:
        return missing_pairs(pictures) or self.extractor.missing()

    def values(self, pictures: PictureSet, progress: Progress) -> Values:
        found: dict[str, dict[int, float]] = defaultdict(dict)
        self.extractor.of(pictures.files, progress)
        for arm, prompt, group in pictures.groups():
            if len(group) >= PAIR:
                files = [pictures.file(each) for each in group]
                found[arm][prompt] = self.measure(self.extractor.of(files, progress))
        return found


def missing_pairs(pictures: PictureSet) -> str:
    if all(len(group) < PAIR for _, _, group in pictures.groups()):
        return "It needs two pictures per prompt: --seeds 2 or more."
    return ""


@dataclass(frozen=True, slots=True)
class ChangeMetric:
    """The feature distance to the reference arm's picture of the same prompt and seed."""

    extractor: FeatureExtractor
    name: str = "efficientnet-change"
    about: str = "feature distance to the reference arm's picture of the same prompt and seed"
    better: str = NEITHER

    def missing(self, pictures: PictureSet) -> str:  # noqa: ARG002
        return self.extractor.missing()

    def values(self, pictures: PictureSet, progress: Progress) -> Values:
        found = self.extractor.of(pictures.files, progress)
        features_of = {
            each.place: value for each, value in zip(pictures.pictures, found, strict=True)
        }
        reference = pictures.arms[0]

        def change(picture: ArmPicture) -> float:
            same = features_of[reference, picture.prompt, picture.number, picture.cfg]
            return features.distance(features_of[picture.place], same)

        changed = pictures.means(change)
        return {arm: values for arm, values in changed.items() if arm != reference}
