"""Ports: the interfaces between selection, catalogue and downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile
from stylus_ext.core.composition import Candidates, Composition
from stylus_ext.core.entry import Description, Edits, Entry, View
from stylus_ext.core.errors import Note
from stylus_ext.core.fetching import Fetched
from stylus_ext.core.file_names import NO_TAG_NAMES, TagNames
from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.settings import Selection


@dataclass(frozen=True, slots=True)
class CatalogueCounts:
    """Entry counts; `families` gives the total and the number on disk per family."""

    entries: int
    on_disk: int
    families: Mapping[str, tuple[int, int]]
    kinds: Mapping[str, int]
    states: Mapping[str, int]
    refined: int
    used: int
    """In a picture of the user."""
    bare: int
    """On disk, and hardly anything is stated about them."""
    duplicates: int
    """Files that lie there a second time."""
    unnamed: int
    """Files whose adapter no service has named."""


@dataclass(frozen=True, slots=True)
class PastPicture:
    """A past picture; `prompt` is without its tags, `used` are their names and weights."""

    name: str
    prompt: str
    negative: str = ""
    seed: int = 0
    used: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PictureUse:
    """One picture that was made with an adapter; `made` is in seconds since 1970."""

    key: AdapterKey
    path: str
    made: float
    weight: float


@dataclass(frozen=True, slots=True)
class UseHistory:
    """How often an adapter was used: pictures per weight, and the newest pictures first."""

    weights: tuple[tuple[float, int], ...] = ()
    newest: tuple[PictureUse, ...] = ()

    @property
    def pictures(self) -> int:
        return sum(number for _, number in self.weights)


class Uses(Protocol):
    """Stores which adapters the user's pictures were made with."""

    def replace(self, folders: Sequence[str], uses: Iterable[PictureUse]) -> None:
        """Replace all uses by the pictures below these folders."""

    def counts(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, int]:
        """Pictures by first key; adapters without any are left out."""
        ...

    def history(self, key: AdapterKey, newest: int) -> UseHistory: ...


def no_limit() -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class PlanContext:
    """The seed of a plan; `left` returns the remaining seconds, None for no limit."""

    seed: int = 0
    left: Callable[[], float | None] = field(default=no_limit, compare=False, repr=False)


NO_CONTEXT = PlanContext()


Matrix = NDArray[np.float32]


class Progress(Protocol):
    """Receives progress of long work; raises `Cancelled` if the user cancelled."""

    def report(self, step: str, done: int, total: int | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """One result of a source: a card with its file, or a note about something skipped."""

    card: AdapterCard | None = None
    file: LocalFile | None = None
    note: Note | None = None


class CardSource(Protocol):
    """Yields cards that are new or changed since the known files."""

    name: str

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]: ...

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:
        """Known files under this source that no longer exist."""


class Refiner(Protocol):
    """Turns a card into a description."""

    name: str

    def refine(self, card: AdapterCard) -> Description: ...


class Embedder(Protocol):
    """Turns texts into unit vectors; `name` changes whenever vectors would differ."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Matrix: ...


@dataclass(frozen=True, slots=True)
class VectorItem:
    """The owner, view, family and fingerprint of one vector."""

    key: AdapterKey
    view: View
    family: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result with its cosine."""

    key: AdapterKey
    cosine: float


class VectorIndex(Protocol):
    """Stores unit vectors by view; can be rebuilt from the store."""

    def fingerprints(self, view: View) -> Mapping[AdapterKey, str]: ...

    def write(self, items: Sequence[VectorItem], vectors: Matrix) -> None: ...

    @property
    def mark(self) -> str:
        """The catalogue state that the vectors represent, as stored by `set_mark`."""

    def set_mark(self, mark: str) -> None: ...

    def remove(self, keys: Iterable[AdapterKey]) -> None: ...

    def search(
        self, view: View, queries: Matrix, top: int, families: frozenset[str] | None = None
    ) -> list[list[Hit]]:
        """Return the `top` nearest vectors per query, best first; `families` None means all."""
        ...

    def vector(self, view: View, key: AdapterKey) -> Matrix | None:
        """The stored vector of one entry, as one row; None if it has none."""

    def cosines(self, view: View, queries: Matrix, keys: Sequence[AdapterKey]) -> Matrix:
        """Cosines of each query (row) and key (column); 0 where a key has no vector."""
        ...


Order = Literal["name", "added", "size", "used"]
"""Order of a listing; by date and size those on disk come first."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of search results and the total, which may be capped for text searches."""

    entries: tuple[Entry, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Search filter; None keeps all. `refined`: described by a model; `bare`: nearly no text;
    `favourite`: starred by the user; `used`: in a picture of the user.
    """

    family: str | None = None
    kind: str | None = None
    state: str | None = None
    on_disk: bool | None = None
    refined: bool | None = None
    bare: bool | None = None
    favourite: bool | None = None
    used: bool | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an entry since a revision; `entry` None means deleted."""

    key: AdapterKey
    revision: int
    entry: Entry | None


class Store(Protocol):
    """The durable catalogue: cards, descriptions, files and edits."""

    @property
    def identity(self) -> str:
        """Changes when the store is created anew; with `revision` it names a catalogue state."""

    @property
    def revision(self) -> int:
        """Grows with every change of an entry."""
        ...

    def write(self, entries: Iterable[Entry]) -> None:
        """Add or replace entries in one transaction; stored user edits win."""
        ...

    def read(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, Entry]:
        """Read by any key or alias; results use the requested keys; unknown keys are left out."""
        ...

    def keep(self, cards: Iterable[AdapterCard]) -> dict[AdapterKey, AdapterKey]:
        """Store the cards of sources, one per file or version; returns first keys by card key."""
        ...

    def stated(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, tuple[AdapterCard, ...]]:
        """Return the sources' cards by first key."""
        ...

    def resolve(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, AdapterKey]:
        """Return first keys of keys and aliases; unknown ones are left out."""
        ...

    def unite(self, first: AdapterKey, other: AdapterKey) -> None:
        """Merge `other` into `first`: cards, files, aliases, and edits where `first` has none."""
        ...

    def part(self, key: AdapterKey, cards: Iterable[AdapterCard], entries: Iterable[Entry]) -> None:
        """Replace an entry by several in one transaction; edits stay with the first key."""
        ...

    def text_fingerprints(self, view: View) -> dict[AdapterKey, tuple[str, str]]:
        """Return family and text fingerprint of every entry without reading texts."""
        ...

    def changes(self, since: int) -> Iterator[Change]:
        """Yield every entry changed after `since` once, by revision."""
        ...

    def remove(self, keys: Iterable[AdapterKey]) -> None: ...

    def search(
        self, text: str, keep: Filter, offset: int = 0, limit: int = 50, order: Order = "name"
    ) -> Page:
        """A text puts the best matches first, whatever the order."""
        ...

    def edit(self, key: AdapterKey, edits: Edits) -> Entry: ...

    def edit_all(self, edits: Mapping[AdapterKey, Edits]) -> None:
        """Edit several entries in one transaction; unknown ones are left out."""

    def files(self) -> dict[str, LocalFile]:
        """Every known file by path."""
        ...

    def owners(self) -> dict[str, AdapterKey]:
        """The adapter of every known file, by path."""
        ...

    def other_types(self) -> dict[AdapterKey, str]:
        """The types of the adapters that are no LoRAs."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """A search; `only` restricts keys (None: all), `names` resolves the user's tags."""

    prompt: Prompt
    negative: Prompt
    limits: Selection
    only: frozenset[AdapterKey] | None = None
    names: TagNames = NO_TAG_NAMES
    context: PlanContext = field(default=NO_CONTEXT, compare=False)


class Retriever(Protocol):
    """Finds candidates for a prompt."""

    def find(self, query: Query) -> Candidates: ...


class Reranker(Protocol):
    """Reorders candidates."""

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        """Return the same candidates, best first; `evidence.sure` may change too."""
        ...


class Composer(Protocol):
    """Splits the prompt into tasks and picks adapters for each."""

    name: str

    def compose(self, query: Query, candidates: Candidates) -> Composition: ...


class Library(Protocol):
    """What the host can load."""

    def stems(self) -> frozenset[str]: ...


class Downloader(Protocol):
    """Downloads a card's file into the models folder and returns its path."""

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched: ...
