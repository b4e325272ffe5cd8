"""Entries: a card with its description, the user's edits and its files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.probe import Probe
from stylus_ext.core.weight_formats import STYLEINJECT

Kind = Literal[
    "style",
    "character",
    "person",
    "clothing",
    "pose",
    "action",
    "background",
    "building",
    "vehicle",
    "animal",
    "object",
    "concept",
    "unknown",
]
KINDS: tuple[str, ...] = get_args(Kind)
BY_RULES = "card"
BY_CAPTIONS = "captions"
"""Sources of descriptions by the rules, and by captions of an adapter's pictures."""
State = Literal["auto", "always", "never"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Description:
    """The refiner's text; `source` is `card`, `captions`, `chat:<model>` or similar."""

    text: str
    kind: str
    source: str
    fingerprint: str
    weight: float | None = None
    min_weight: float | None = None
    max_weight: float | None = None
    slider: bool = False
    speed: bool = False
    utility: bool = False

    def __post_init__(self) -> None:
        _check_kind(self.kind)

    @property
    def is_tool(self) -> bool:
        return self.slider or self.speed or self.utility

    @property
    def refined(self) -> bool:
        """True if the text comes from a model or a person, not from the rules."""
        return self.source != BY_RULES


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InvalidInput(f"{kind!r} is not a kind of adapter; kinds are {', '.join(KINDS)}.")


SOURCE_PRIORITY = (BY_RULES, BY_CAPTIONS, "stylusdocs", "chat")
"""Sources of descriptions by the first part of `source`, the better ones last."""


def preferred(new: Description, old: Description) -> Description:
    """Return the description of the better source; of equals the new one."""
    return old if _priority(old) > _priority(new) else new


def _priority(description: Description) -> int:
    source = description.source.partition(":")[0]
    return SOURCE_PRIORITY.index(source) if source in SOURCE_PRIORITY else 0


@dataclass(frozen=True, slots=True)
class Edits:
    """The user's decisions; None means untouched. They outlive anything the sources state."""

    state: State = "auto"
    text: str | None = None
    triggers: tuple[str, ...] | None = None
    weight: float | None = None
    kind: str | None = None
    favourite: bool = False
    note: str | None = None
    tags: tuple[str, ...] | None = None
    """The user's own tags, by which entries are found; the selection does not read them."""

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise InvalidInput(f"{self.state!r} is not a state; states are {', '.join(STATES)}.")
        if self.kind is not None:
            _check_kind(self.kind)

    @property
    def undone(self) -> Edits:
        """Without what changes the adapter; the user's star, note and tags stay."""
        return Edits(favourite=self.favourite, note=self.note, tags=self.tags)

    def filled(self, other: Edits) -> Edits:
        """Return these edits with gaps filled from `other`."""
        gaps = {
            item.name: getattr(other, item.name)
            for item in fields(self)
            if getattr(self, item.name) == item.default
        }
        return replace(self, **gaps)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the catalogue stores per adapter: card, description, edits and local files."""

    card: AdapterCard
    description: Description
    family: str
    edits: Edits = Edits()
    files: tuple[LocalFile, ...] = ()
    probe: Probe | None = None
    """What was measured with pictures; None if nothing, or of another file."""

    @property
    def key(self) -> AdapterKey:
        return self.card.key

    @property
    def text(self) -> str:
        return self.description.text if self.edits.text is None else self.edits.text

    @property
    def triggers(self) -> tuple[str, ...]:
        return self.card.triggers if self.edits.triggers is None else self.edits.triggers

    @property
    def kind(self) -> str:
        return self.edits.kind or self.description.kind

    @property
    def weight(self) -> float | None:
        """The user's weight, else the sidecar's preferred one, else the refiner's, else the
        measured one, else None.
        """
        measured = None if self.probe is None else self.probe.weight
        for weight in (self.edits.weight, self.card.weight, self.description.weight, measured):
            if weight is not None:
                return weight
        return None

    @property
    def weight_range(self) -> tuple[float | None, float | None]:
        """The least and the most that the author states, where the weight agrees with it."""
        least, most = self.description.min_weight, self.description.max_weight
        weight = self.weight
        if weight is None:
            return None, None
        return (
            least if least is not None and least <= weight else None,
            most if most is not None and weight <= most else None,
        )

    @property
    def formats(self) -> frozenset[str]:
        """Formats of the weights in its files, or as the source states them; empty if unknown."""
        read = [file.formats for file in self.files if file.formats is not None]
        return frozenset().union(*read) if read else frozenset(self.card.formats)

    @property
    def type(self) -> str:
        """The type by which it is written into a prompt."""
        return STYLEINJECT if STYLEINJECT in self.formats else self.card.type

    @property
    def stem(self) -> str | None:
        """The name under which the host loads it; None if it is not on disk."""
        return min((file.stem for file in self.files), default=None)

    def edited(self, edits: Edits) -> Entry:
        return replace(self, edits=edits)


View = Literal["title", "card"]
VIEWS: tuple[View, ...] = ("title", "card")
"""`title`: what the adapter is called and called by. `card`: the same with what it draws."""

TEMPLATE_VERSION = 1
_MOST_TRIGGERS = 6
_MOST_TAGS = 12


def embedded_text(entry: Entry, view: View) -> str:
    card = entry.card
    tags = ", ".join(card.tags[:_MOST_TAGS])
    middle = [entry.text] if view == "card" else []
    parts = [card.name, ", ".join(entry.triggers[:_MOST_TRIGGERS]), *middle, tags]
    return ". ".join(part for part in parts if part)


def text_fingerprint(text: str) -> str:
    """Hash of template and text, stored with the entry to detect changes without reading texts."""
    return _fingerprint(f"{TEMPLATE_VERSION}\0{text}")


def vector_fingerprint(embedder: str, text_print: str) -> str:
    """Hash of everything that determines a vector; equal fingerprints mean equal vectors."""
    return _fingerprint(f"{embedder}\0{text_print}")


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
