"""The ports: what the use cases need of the world, one verb each where it can be. Back ends
implement them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile
from stylus_ext.core.composition import Candidates, Composition
from stylus_ext.core.entry import Description, Edits, Entry, View
from stylus_ext.core.errors import Note
from stylus_ext.core.fetching import Fetched
from stylus_ext.core.naming import NO_TAG_NAMES, TagNames
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.settings import Selection


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of entries; `families` says of each how many there are, and how many of those are on
    disk.
    """

    entries: int
    on_disk: int
    families: Mapping[str, tuple[int, int]]
    kinds: Mapping[str, int]
    states: Mapping[str, int]
    refined: int
    bare: int
    """On disk, and hardly anything is stated about them."""
    duplicates: int
    """Files that lie there a second time."""
    unnamed: int
    """Files whose adapter no service has named."""


class Tallies(Protocol):
    """Counts the catalogue."""

    def tally(self) -> Tally: ...


@dataclass(frozen=True, slots=True)
class OldPicture:
    """`used` are the names and weights of the adapters in its tags; `prompt` is without them."""

    name: str
    prompt: str
    negative: str = ""
    seed: int = 0
    used: tuple[tuple[str, float], ...] = ()


def endless() -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class PlanContext:
    """`left` says how many seconds there are yet; None is no limit."""

    seed: int = 0
    left: Callable[[], float | None] = field(default=endless, compare=False, repr=False)


NO_TERMS = PlanContext()


Matrix = NDArray[np.float32]


class Progress(Protocol):
    """Told about long work; raises `Cancelled` when the user said stop."""

    def report(self, step: str, done: int, total: int | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """One thing a source came across: a card with the file it was read from, or a note about what
    was skipped.
    """

    card: AdapterCard | None = None
    file: LocalFile | None = None
    note: Note | None = None


class CardSource(Protocol):
    """Yields what is new or changed since the files that the store knows."""

    name: str

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]: ...

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:
        """Which of the known files this source was asked to look after and does not find any
        more.
        """


class Refiner(Protocol):
    """Turns a card into a description."""

    name: str

    def refine(self, card: AdapterCard) -> Description: ...


class Embedder(Protocol):
    """Turns texts into unit vectors; `name` changes whenever the same text would give another
    vector.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Matrix: ...


@dataclass(frozen=True, slots=True)
class VectorItem:
    """One vector's place: whose it is, which view, which family to search it under, and what made
    it.
    """

    key: AdapterKey
    view: View
    family: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A found vector and its cosine."""

    key: AdapterKey
    cosine: float


class VectorIndex(Protocol):
    """Holds unit vectors by view; derived from the store, rebuildable at any time."""

    def fingerprints(self, view: View) -> Mapping[AdapterKey, str]: ...

    def write(self, items: Sequence[VectorItem], vectors: Matrix) -> None: ...

    @property
    def mark(self) -> str:
        """What `set_mark` kept: which state of the catalogue the vectors stand for."""

    def set_mark(self, mark: str) -> None: ...

    def remove(self, keys: Iterable[AdapterKey]) -> None: ...

    def search(
        self, view: View, queries: Matrix, top: int, families: frozenset[str] | None = None
    ) -> list[list[Hit]]:
        """For each query the `top` nearest, best first; `families` None means all."""
        ...

    def cosines(self, view: View, queries: Matrix, keys: Sequence[AdapterKey]) -> Matrix:
        """One row a query, one column a key; 0 for a key that has no vector."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search of the catalogue, and how many there are in all: with a text, a store
    may stop counting at some thousands.
    """

    entries: tuple[Entry, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What a search of the catalogue keeps; None keeps all. `refined`: described by more than the
    rules; `bare`: hardly anything is stated.
    """

    family: str | None = None
    kind: str | None = None
    state: str | None = None
    on_disk: bool | None = None
    refined: bool | None = None
    bare: bool | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an entry since a revision; `entry` None says that it is gone."""

    key: AdapterKey
    revision: int
    entry: Entry | None


class Store(Protocol):
    """The truth about cards, descriptions, files and edits."""

    @property
    def identity(self) -> str:
        """Changes when the store is made anew; with `revision` it names a state of the
        catalogue.
        """

    @property
    def revision(self) -> int:
        """Grows with every change of an entry."""
        ...

    def write(self, entries: Iterable[Entry]) -> None:
        """Adds or replaces entries whole, in one transaction; the user's edits on record win over
        those in the entries.
        """
        ...

    def read(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, Entry]:
        """By any key or alias; the result is keyed by what was asked for; unknown keys are left
        out.
        """
        ...

    def keep(self, cards: Iterable[AdapterCard]) -> dict[AdapterKey, AdapterKey]:
        """Keeps what sources state, a card for each file or version they speak of, under first
        keys: returned, by the cards' keys.
        """
        ...

    def stated(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, tuple[AdapterCard, ...]]:
        """What the sources state about entries, by first key."""
        ...

    def resolve(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, AdapterKey]:
        """First keys of keys and aliases; unknown ones are left out."""
        ...

    def unite(self, first: AdapterKey, other: AdapterKey) -> None:
        """`other` turned out to be `first`: its cards, files, aliases and, where `first` has none,
        edits move over.
        """
        ...

    def part(self, key: AdapterKey, cards: Iterable[AdapterCard], entries: Iterable[Entry]) -> None:
        """In the place of an entry, its cards, files and aliases come these, in one transaction;
        edits stay with its first key.
        """
        ...

    def text_fingerprints(self, view: View) -> dict[AdapterKey, tuple[str, str]]:
        """Family and text fingerprint of every entry: what the vectors should be made from, without
        reading the texts.
        """
        ...

    def changes(self, since: int) -> Iterator[Change]:
        """Every entry changed after `since`, each once, in the order of revisions."""
        ...

    def remove(self, keys: Iterable[AdapterKey]) -> None: ...

    def search(self, text: str, keep: Filter, offset: int = 0, limit: int = 50) -> Page: ...

    def edit(self, key: AdapterKey, edits: Edits) -> Entry: ...

    def files(self) -> dict[str, LocalFile]:
        """Every known file by its path."""
        ...

    def owners(self) -> dict[str, AdapterKey]:
        """Whose each known file is, by its path."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; `only` these keys may be found, such as those on disk, None is no limit;
    `names` say whose the user's tags are.
    """

    prompt: Prompt
    negative: Prompt
    limits: Selection
    only: frozenset[AdapterKey] | None = None
    names: TagNames = NO_TAG_NAMES
    terms: PlanContext = field(default=NO_TERMS, compare=False)


class Retriever(Protocol):
    """Finds candidates for a prompt."""

    def find(self, query: Query) -> Candidates: ...


class Reranker(Protocol):
    """Orders candidates anew."""

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        """The same candidates, best first, with scores of its own; `evidence.sure` may change too,
        and nothing else.
        """
        ...


class Composer(Protocol):
    """Splits the prompt into tasks and gives each its adapters."""

    name: str

    def compose(self, query: Query, candidates: Candidates) -> Composition: ...


class Library(Protocol):
    """What the host can load: its stems, and which of them hide another file."""

    def stems(self) -> frozenset[str]: ...


class Downloader(Protocol):
    """Fetches the file of a card into the models folder and says where it lies."""

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched: ...
