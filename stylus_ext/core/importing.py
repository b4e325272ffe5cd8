"""What a published catalogue in files gives: cards with descriptions, in an order, and perhaps a
vector for each in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.ports import Matrix


@dataclass(frozen=True, slots=True)
class PublishedText:
    """What a refiner of somebody else's said of a card, and the weight it recommends."""

    text: str
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """One record, by its place in the files: a card, or the reason why there is none."""

    place: int
    card: AdapterCard | None = None
    said: PublishedText | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PublishedVectors:
    """Row by row in the order of the records; `model` made them. They stay where they are until a
    row is asked for.
    """

    model: str
    rows: int
    dimensions: int
    values: Matrix = field(repr=False)


class PublishedCatalogue(Protocol):
    """A catalogue in a folder of files."""

    name: str

    @property
    def fingerprint(self) -> str:
        """Another one when a file is another."""
        ...

    def records(self) -> Iterator[Published]:
        """All of them, in their order; `InvalidInput` as soon as a file turns out to be something
        else.
        """
        ...

    def vectors(self) -> PublishedVectors | None: ...


@dataclass(frozen=True, slots=True)
class LentItem:
    """Whose a lent vector is, the family to search it under, and for each view what the encoder's
    own would be made from.
    """

    key: AdapterKey
    family: str
    prints: tuple[str, ...]


class Lender(Protocol):
    """An index that takes vectors which somebody else made, and gives them out until the encoder
    makes its own.
    """

    def lend(self, items: Sequence[LentItem], vectors: Matrix) -> None:
        """One vector an entry, for all views."""
        ...


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did in all, the parts before an interruption included."""

    read: int = 0
    kept: int = 0
    described: int = 0
    vectors: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    resumed: bool = False
    ended: bool = False
    changed: int = 0
    """Entries that are new, or whose texts are others now."""
