"""Published catalogues: ordered records with descriptions, and optionally one vector per record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.ports import Matrix


@dataclass(frozen=True, slots=True)
class PublishedText:
    """A description by another refiner, with its recommended weight."""

    text: str
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """One record of a published catalogue: a card, or the reason why it is skipped."""

    place: int
    card: AdapterCard | None = None
    text: PublishedText | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PublishedVectors:
    """Vectors in record order, made by `model`; rows are read on demand."""

    model: str
    rows: int
    dimensions: int
    values: Matrix = field(repr=False)


class PublishedCatalogue(Protocol):
    """A catalogue in a folder of files."""

    name: str

    @property
    def fingerprint(self) -> str:
        """Changes when any file changes."""
        ...

    def records(self) -> Iterator[Published]:
        """Yield all records in order; raises `InvalidInput` if a file has another format."""
        ...

    def vectors(self) -> PublishedVectors | None: ...


@dataclass(frozen=True, slots=True)
class ImportedVector:
    """Owner and family of an imported vector; by view the fingerprint of our text."""

    key: AdapterKey
    family: str
    prints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """Totals of an import, including parts done before an interruption."""

    read: int = 0
    kept: int = 0
    described: int = 0
    vectors: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    resumed: bool = False
    ended: bool = False
    changed: int = 0
    """Entries that are new, or whose texts are others now."""
