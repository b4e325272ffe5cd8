"""Captions of pictures by the interrogators of a WebUI, from which descriptions are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from stylus_ext.core.card import AdapterKey

Interrogator = Literal["blip", "deepbooru"]
INTERROGATORS: tuple[Interrogator, ...] = get_args(Interrogator)
"""`blip` writes a sentence, `deepbooru` tags with commas between them."""

Captions = Mapping[str, str]
"""The captions of one picture by interrogator; an empty one says that nothing was recognised."""


@dataclass(frozen=True, slots=True)
class Uncaptioned:
    """A picture, and the interrogators that have not seen its content."""

    path: str
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaptionTarget:
    """An adapter to describe from its pictures; none are left if their captions are complete."""

    key: AdapterKey
    name: str
    pictures: tuple[Uncaptioned, ...]


@dataclass(frozen=True, slots=True)
class CaptionReport:
    """What there is to do; `known` are described from their pictures, `pictureless` have none."""

    targets: tuple[CaptionTarget, ...] = ()
    known: int = 0
    edited: int = 0
    pictureless: int = 0

    @property
    def pictures(self) -> int:
        return sum(len(target.pictures) for target in self.targets)
