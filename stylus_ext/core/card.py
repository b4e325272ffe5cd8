"""Cards: what a source states about one adapter version, and the keys that identify it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import PurePath
from typing import Literal, cast

from stylus_ext.core.adapter_type import LORA
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.family import UNKNOWN, family_of

Scheme = Literal["civitai", "sha256", "path"]

SOURCES = ("local", "civitai", "huggingface", "pictures", "stylusdocs", "starter")
"""Where several sources describe one adapter, the first of these wins."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_VALID: dict[str, Callable[[str], bool]] = {
    "civitai": lambda value: value.isascii() and value.isdigit(),
    "sha256": lambda value: _SHA256.fullmatch(value) is not None,
    "path": bool,
}

AUTO_V3 = 12
"""Characters of the tensors' hash that the host and Civitai show."""

_LONGEST_NAME = 255

_VERSION_SUFFIX = re.compile(r"""(?x)
    [-_. ] \d{6}                                   # the epochs of kohya's trainer: name-000004
    | [-_. ]? \(\d+\)                              # the copies of browsers: name (1)
    | [-_. ] (?i: v | ver | version) [-_. ]? \d+ (?: [._]\d+ )* [a-z]?
    | (?<=[a-z]) V \d+ (?: [._]\d+ )* [a-z]?       # NameV2
    | [-_. ] (?i: e | ep | epoch ) [-_. ]? \d+
    | [-_. ] (?i: s | step | steps) [-_. ]? \d{3,}
    | [-_. ] (?i: final | last)
    """)
"""The end of a name that is only a version or epoch."""


@dataclass(frozen=True, slots=True, order=True)
class AdapterKey:
    """Identifies an adapter: `civitai:<version id>`, `sha256:<hex>`, or `path:<relative path>`."""

    scheme: Scheme
    value: str

    def __post_init__(self) -> None:
        is_valid = _VALID.get(self.scheme)
        if is_valid is None or not is_valid(self.value):
            raise InvalidInput(f"{self.scheme}:{self.value} is not the key of an adapter.")

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"

    @classmethod
    def parse(cls, text: str) -> AdapterKey:
        scheme, _, value = text.partition(":")
        if scheme not in _VALID:
            raise InvalidInput(
                f"{text!r} is not the key of an adapter: it must begin with civitai:, sha256: or"
                " path:."
            )
        return cls(cast("Scheme", scheme), value.lower() if scheme == "sha256" else value)

    @classmethod
    def civitai(cls, version_id: int) -> AdapterKey:
        return cls("civitai", str(version_id))

    @classmethod
    def sha256(cls, digest: str) -> AdapterKey:
        return cls("sha256", digest.lower())

    @classmethod
    def path(cls, relative: str) -> AdapterKey:
        return cls("path", relative)


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt that used the adapter, and the weight it had there."""

    prompt: str
    weight: float | None = None
    image: str = field(default="", compare=False)
    """The address of its picture; not compared."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """The downloadable file of an adapter version."""

    name: str
    size: int
    sha256: str | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """An adapter file in a LoRA folder; the host addresses it by its stem."""

    path: str
    stem: str
    size: int
    mtime_ns: int
    sha256: str | None = None
    formats: tuple[str, ...] | None = None
    """Formats of its weights; None if they were not read yet."""


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA256 of the whole file, and AutoV3 of the tensors, which survives a rewritten header."""

    sha256: str
    auto_v3: str


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """What one source states about one adapter version."""

    key: AdapterKey
    name: str
    source: str
    version: str = ""
    model_id: int | None = None
    base_model: str = ""
    kind: str = ""
    tags: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    text: str = ""
    examples: tuple[Example, ...] = ()
    images: int | None = None
    preview: str = ""
    weight: float | None = None
    negative_text: str = ""
    downloads: int | None = None
    rating: float | None = None
    nsfw: bool = False
    weak: bool = False
    creator: str = ""
    licence: str = ""
    remote: RemoteFile | None = None
    alias: str = ""
    """The name that the trainer wrote into the file; the host takes it in tags like the stem."""
    auto_v3: str = ""
    """The beginning of the hash of the tensors, which the host writes into infotexts."""
    equivalents: tuple[AdapterKey, ...] = ()
    """Other keys under which the same adapter version is known."""
    formats: tuple[str, ...] = ()
    """Formats of the weights, where the source states them."""
    type: str = LORA
    negative: bool = False
    """An embedding for the negative prompt."""

    @property
    def bare(self) -> bool:
        """True if the card has no text of its own beyond training statistics."""
        return self.weak or not (self.text or self.triggers or self.tags or self.examples)


def merge_cards(cards: Sequence[AdapterCard]) -> AdapterCard:
    """Merge cards of several sources: first non-empty value per field, examples of all."""
    ranked = sorted(cards, key=lambda card: SOURCES.index(card.source))
    if not ranked:
        raise InvalidInput("There is no card to merge.")
    best = ranked[0]
    for card in ranked[1:]:
        best = _filled(best, card)
    # What is known only from tag frequencies gives way to anything better, from whichever source.
    trusted = sorted(ranked, key=lambda card: card.weak)
    return replace(
        best,
        name=next((card.name for card in sorted(trusted, key=_after_its_file) if card.name), ""),
        tags=next((card.tags for card in trusted if card.tags), ()),
        triggers=next((card.triggers for card in trusted if card.triggers), ()),
    )


def _after_its_file(card: AdapterCard) -> bool:
    """True if the name comes from the file or its trainer; a catalogue's name is preferred."""
    if card.source not in ("local", "pictures"):
        return False
    stems = [
        re.sub(r"\.[^./]*$", "", key.value).rpartition("/")[2]
        for key in (card.key, *card.equivalents)
        if key.scheme == "path"
    ]
    return card.source == "pictures" or card.name in (*stems, card.alias)


_OPTIONAL = ("model_id", "images", "weight", "downloads", "rating", "remote")
_TEXTS = ("version", "base_model", "kind", "text", "preview", "negative_text") + (
    "creator",
    "licence",
    "alias",
    "auto_v3",
)


def _filled(best: AdapterCard, other: AdapterCard) -> AdapterCard:
    """Return `best` with its empty fields taken from `other`."""
    known = {name: getattr(best, name) for name in _OPTIONAL if getattr(best, name) is not None}
    optional = {name: getattr(other, name) for name in _OPTIONAL} | known
    texts = {name: getattr(best, name) or getattr(other, name) for name in _TEXTS}
    if family_of(best.base_model) == UNKNOWN != family_of(other.base_model):
        texts["base_model"] = other.base_model
    return replace(
        best,
        **optional,
        **texts,
        examples=tuple(dict.fromkeys(best.examples + other.examples)),
        nsfw=best.nsfw or other.nsfw,
        weak=best.weak and other.weak,
        negative=best.negative or other.negative,
        equivalents=tuple(sorted({*best.equivalents, *other.equivalents, other.key} - {best.key})),
    )


def series(of: AdapterCard | str) -> str:
    """Identify the model of a version: its model id, else its name or stem without the version."""
    if isinstance(of, AdapterCard):
        return (
            f"civitai:{of.model_id}" if of.model_id is not None else series(of.name) or str(of.key)
        )
    name = of.strip()[:_LONGEST_NAME]
    while True:
        end = next(
            (found.start() for found in _VERSION_SUFFIX.finditer(name) if found.end() == len(name)),
            0,
        )
        if end == 0:
            return name.casefold()
        name = name[:end].rstrip()


def keys_of(card: AdapterCard) -> tuple[AdapterKey, ...]:
    return (card.key, *card.equivalents)


def path_key(card: AdapterCard) -> AdapterKey | None:
    """Return the path key of the file that a local card was read from."""
    return (
        next((key for key in keys_of(card) if key.scheme == "path"), None)
        if card.source == "local"
        else None
    )


def matches_path(name: AdapterKey | None, path: str) -> bool:
    """True if a path key, relative to its LoRA folder, can denote this file."""
    return name is not None and f"/{PurePath(path).as_posix()}".endswith(f"/{name.value}")


def local_card(cards: Iterable[AdapterCard], path: str) -> AdapterCard | None:
    """Return the card read from this file, else a local card that names no file."""
    local = [card for card in cards if card.source == "local"]
    fitting = [card for card in local if matches_path(path_key(card), path)] or [
        card for card in local if path_key(card) is None
    ]
    return max(fitting, key=lambda card: len(str(path_key(card))), default=None)


def present_cards(
    cards: Sequence[AdapterCard], files: Iterable[LocalFile]
) -> Sequence[AdapterCard]:
    """Drop the cards of missing files, unless no other card is left."""
    paths = [file.path for file in files]
    present = [
        card
        for card in cards
        if (name := path_key(card)) is None or any(matches_path(name, path) for path in paths)
    ]
    return present or cards


def group_cards(cards: Iterable[AdapterCard]) -> list[list[AdapterCard]]:
    """Group cards that share a key, directly or through other cards."""
    found: dict[AdapterKey, list[AdapterCard]] = {}
    for card in cards:
        known = {id(group): group for key in keys_of(card) if (group := found.get(key)) is not None}
        together = [*chain.from_iterable(known.values()), card]
        found.update((key, together) for member in together for key in keys_of(member))
    return list({id(group): group for group in found.values()}.values())


def with_key(first: AdapterKey, card: AdapterCard) -> AdapterCard:
    """Return the card under its first key; its own key becomes an equivalent."""
    if card.key == first:
        return card
    return replace(
        card, key=first, equivalents=tuple(sorted({card.key, *card.equivalents} - {first}))
    )
