"""What can be asked of a catalogue on the network, and what it answers: a page of cards, or the
cards of files by their hashes.
"""

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
    """Which part of a catalogue: all of it, or the `top` by downloads, narrowed by words, a tag and
    base models.
    """

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
        """Names the crawl of exactly this, however often it is asked for."""
        said = asdict(self) | {"base_models": sorted(self.base_models)}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode("ascii")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class CataloguePage:
    """`models` were looked at; `skipped` counts by reason the versions that were left out."""

    cards: tuple[AdapterCard, ...]
    models: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    cursor: str | None = None
    """Where the next page begins; None is the end."""
    banned: tuple[AdapterKey, ...] = ()
    """Versions that nobody is to have, whatever was said of them before."""
    newest: str = ""
    """When the newest version on this page came out, as the source writes it; such texts can be
    compared.
    """
    in_order: bool = True
    """Whether what came out last comes first where no number was wanted, so that what is known ends
    a crawl.
    """


@dataclass(frozen=True, slots=True)
class Identified:
    """The cards of the files that the source knows, with their SHA256 among the equivalents;
    `skipped` as above.

    `recognised` are all the hashes that it knows, those of what was skipped, too.
    """

    cards: tuple[AdapterCard, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    recognised: frozenset[str] = frozenset()


class Memory(Protocol):
    """Small texts by name, found again after any end; written down behind the cards that they speak
    of.
    """

    def remembered(self, name: str) -> str: ...

    def remember(self, name: str, text: str) -> None:
        """An empty text is forgotten."""
        ...


class CursorLost(InvalidInput):
    """The source does not know this place in its catalogue any longer: the crawl has to begin
    anew.
    """


class RemoteCatalogue(Protocol):
    """A service that lists adapters; asked politely, since it is somebody else's."""

    name: str

    def checked(self, wanted: Wanted, check: Check) -> Wanted:
        """The same with names as the source spells them; `InvalidInput` for one that it does not
        have.
        """
        ...

    def page(
        self, wanted: Wanted, cursor: str | None, left: int | None, check: Check
    ) -> CataloguePage:
        """The page at a cursor, None being the first; at most `left` models of it. `CursorLost` for
        an old cursor.
        """
        ...

    def identify(self, sha256s: Sequence[str], check: Check) -> Identified:
        """What the source knows of files with these hashes, whatever it says about whether they may
        be fetched.
        """
        ...

    def identify_tensors(self, auto_v3s: Mapping[str, str], check: Check) -> Identified:
        """The same by the hash of their tensors, for files by SHA256 that it does not know by that:
        one request for each.
        """
        ...
