"""Network catalogues: queries, pages of cards, and identification of files by hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.errors import InvalidInput

MOST_MODELS = 10_000_000
CIVITAI, HUGGING_FACE = "civitai", "huggingface"
SERVICES = (CIVITAI, HUGGING_FACE)
Check = Callable[[], None]
"""Asked all the time while something is waited for; raises `Cancelled` to end it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query: everything or the `top` by downloads, filtered by words, a tag and base models."""

    query: str = ""
    tag: str = ""
    base_models: tuple[str, ...] = ()
    top: int = 0
    """So many models; 0 is no limit."""
    nsfw: bool = False
    examples: bool = False
    """Ask for the prompts of pictures, too: one request more for each adapter."""

    def __post_init__(self) -> None:
        if not 0 <= self.top <= MOST_MODELS:
            raise InvalidInput(
                f"The number of models to read must lie between 0 (all) and {MOST_MODELS:,}, not"
                f" {self.top}."
            )

    @property
    def fingerprint(self) -> str:
        """Identifies a crawl of exactly this query."""
        query = asdict(self) | {"base_models": sorted(self.base_models)}
        return hashlib.sha256(json.dumps(query, sort_keys=True).encode("ascii")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class CataloguePage:
    """One page; `models` were read, `skipped` counts versions left out by reason."""

    cards: tuple[AdapterCard, ...]
    models: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    cursor: str | None = None
    """Where the next page begins; None is the end."""
    banned: tuple[AdapterKey, ...] = ()
    """Versions to remove from the catalogue, whatever was stated of them before."""
    newest: str = ""
    """When the newest version on this page came out; such texts can be compared."""
    in_order: bool = True
    """Newest first, so that a known version ends a crawl."""


@dataclass(frozen=True, slots=True)
class Identified:
    """Cards of recognised files; their SHA256 is an equivalent key."""

    cards: tuple[AdapterCard, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    recognised: frozenset[str] = frozenset()


class Memory(Protocol):
    """Durable small texts by name, written after the cards they refer to."""

    def remembered(self, name: str) -> str: ...

    def remember(self, name: str, text: str) -> None:
        """Store a text; an empty one deletes it."""
        ...


class CursorLost(InvalidInput):
    """The source no longer accepts this cursor; the crawl starts again."""


class RemoteCatalogue(Protocol):
    """A service that lists adapters."""

    name: str

    def checked(self, wanted: Wanted, check: Check) -> Wanted:
        """Return the query in the spelling of the source; unknown names raise `InvalidInput`."""
        ...

    def page(
        self, wanted: Wanted, cursor: str | None, left: int | None, check: Check
    ) -> CataloguePage:
        """Return the page at a cursor (None: first), at most `left` models; raises `CursorLost`."""
        ...

    def identify(self, sha256s: Sequence[str], check: Check) -> Identified:
        """Look up files by SHA256, downloadable or not."""
        ...

    def identify_tensors(self, auto_v3s: Mapping[str, str], check: Check) -> Identified:
        """Look up files by AutoV3 where SHA256 is unknown; one request each."""
        ...
