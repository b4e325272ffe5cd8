"""Metrics of pictures: what they measure, and the pictures that they get."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.manifest import ArmPicture

Values = Mapping[str, Mapping[int, float]]
"""By arm and number of the prompt."""

HIGHER, LOWER, NEITHER = "higher", "lower", ""


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

    @property
    def files(self) -> list[Path]:
        return [self.file(each) for each in self.pictures]

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


class NamedMetric(Protocol):
    """`missing` says why it cannot be measured here; `better` is the better direction, if any."""

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str: ...

    @property
    def better(self) -> str: ...

    def missing(self, pictures: PictureSet) -> str: ...


class Metric(NamedMetric, Protocol):
    """One value for each arm and prompt."""

    def values(self, pictures: PictureSet, progress: Progress) -> Values: ...


Unit = tuple[str, int]
"""All pictures of an arm and a prompt."""

Measure = Callable[[Sequence[Unit]], float]
"""The value of these pictures together."""


class SetMetric(NamedMetric, Protocol):
    """One value for all pictures of an arm together, against real pictures."""

    @property
    def real_pictures(self) -> int: ...

    def measure(self, pictures: PictureSet, arms: Sequence[str], progress: Progress) -> Measure:
        """A function that measures any units of these arms."""


def missing_packages(*names: str) -> str:
    """A sentence about the packages that are not installed, or an empty text."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    return f"Not installed: {', '.join(missing)}." if missing else ""
