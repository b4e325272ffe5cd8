"""Metrics by name. Each gives one value for an arm and a prompt: the mean over its pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures import features
from stylus_ext.evaluation.pictures.clip_score import ClipScore
from stylus_ext.evaluation.pictures.features import EfficientNetFeatures
from stylus_ext.evaluation.pictures.manifest import ArmPicture

Values = Mapping[str, Mapping[int, float]]
"""By arm and number of the prompt."""

HIGHER, LOWER, NEITHER = "higher", "lower", ""
_PAIR = 2


@dataclass(frozen=True, slots=True)
class PictureSet:
    """The pictures to compare; every arm has the same prompts and seeds.

    `prompts` are the user's texts, without adapters and debias text.
    """

    folder: Path
    pictures: Sequence[ArmPicture]
    arms: Sequence[str]
    prompts: Sequence[str]

    def file(self, picture: ArmPicture) -> Path:
        return self.folder / picture.file

    def groups(self) -> Iterator[tuple[str, int, list[ArmPicture]]]:
        """The pictures of each arm and prompt."""
        found: dict[tuple[str, int], list[ArmPicture]] = defaultdict(list)
        for each in self.pictures:
            found[each.arm, each.prompt].append(each)
        yield from ((arm, prompt, group) for (arm, prompt), group in found.items())

    def means(self, value: Callable[[ArmPicture], float]) -> Values:
        """The mean over the pictures of each arm and prompt."""
        found: dict[str, dict[int, float]] = defaultdict(dict)
        for arm, prompt, group in self.groups():
            found[arm][prompt] = sum(map(value, group)) / len(group)
        return found


class Metric(Protocol):
    """`missing` says why it cannot be measured here; `better` is the better direction, if any."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str: ...

    @property
    def better(self) -> str: ...

    def missing(self, pictures: PictureSet) -> str: ...

    def values(self, pictures: PictureSet, progress: Progress) -> Values: ...


@dataclass(frozen=True, slots=True)
class TimeMetric:
    """Seconds of the WebUI for a picture, or of planning."""

    name: str
    about: str
    value: Callable[[ArmPicture], float]
    better: str = LOWER

    def missing(self, pictures: PictureSet) -> str:  # noqa: ARG002
        return ""

    def values(self, pictures: PictureSet, progress: Progress) -> Values:  # noqa: ARG002
        return pictures.means(self.value)


@dataclass(frozen=True, slots=True)
class DiversityMetric:
    """A measure of the features of one prompt's pictures in one arm."""

    name: str
    about: str
    extractor: EfficientNetFeatures
    measure: Callable[[Sequence[features.Features]], float]
    better: str = HIGHER

    def missing(self, pictures: PictureSet) -> str:
        if all(len(group) < _PAIR for _, _, group in pictures.groups()):
            return "It needs two pictures per prompt: --seeds 2 or more."
        return self.extractor.missing()

    def values(self, pictures: PictureSet, progress: Progress) -> Values:
        found: dict[str, dict[int, float]] = defaultdict(dict)
        self.extractor.of([pictures.file(each) for each in pictures.pictures], progress)
        for arm, prompt, group in pictures.groups():
            if len(group) >= _PAIR:
                files = [pictures.file(each) for each in group]
                found[arm][prompt] = self.measure(self.extractor.of(files, progress))
        return found


@dataclass(frozen=True, slots=True)
class ChangeMetric:
    """The feature distance to the reference arm's picture of the same prompt and seed."""

    extractor: EfficientNetFeatures
    name: str = "efficientnet-change"
    about: str = "feature distance to the reference arm's picture of the same prompt and seed"
    better: str = NEITHER

    def missing(self, pictures: PictureSet) -> str:  # noqa: ARG002
        return self.extractor.missing()

    def values(self, pictures: PictureSet, progress: Progress) -> Values:
        found = self.extractor.of([pictures.file(each) for each in pictures.pictures], progress)
        features_of = {
            each.place: value for each, value in zip(pictures.pictures, found, strict=True)
        }
        reference = pictures.arms[0]

        def change(picture: ArmPicture) -> float:
            same = features_of[reference, picture.prompt, picture.number, picture.cfg]
            return features.distance(features_of[picture.place], same)

        changed = pictures.means(change)
        return {arm: values for arm, values in changed.items() if arm != reference}


def all_metrics(clip_model: str) -> list[Metric]:
    """Every metric, in the order of the report."""
    extractor = EfficientNetFeatures()
    return [
        TimeMetric(
            "seconds", "seconds that the WebUI needs for a picture", lambda each: each.seconds
        ),
        TimeMetric(
            "planning-seconds",
            "seconds of planning per picture",
            lambda each: each.planning_seconds,
        ),
        ChangeMetric(extractor),
        DiversityMetric(
            "efficientnet-diversity",
            "mean pairwise feature distance of one prompt's pictures",
            extractor,
            features.mean_pairwise_distance,
        ),
        DiversityMetric(
            "efficientnet-spread",
            "trace of the covariance of the features of one prompt's pictures",
            extractor,
            features.spread,
        ),
        ClipScore(clip_model),
    ]
