"""Attributes of an entry that filters use: flags, and labels for its family, folders and tags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from stylus_ext.core.adapter_type import LORA
from stylus_ext.core.entry import Entry

FAMILY, FOLDER, TAG, FORMAT, TYPE = "=", "/", "#", "%", "@"
"""The first character of a label tells its type."""

NEGATIVE = TYPE + "negative"
"""The label of embeddings for the negative prompt."""

MAX_TAGS = 100

FEWEST_IMAGES = 3
"""A card with fewer example images is poor, as in the paper."""

POOR_RATING = 0.7
"""Share of positive votes below which a card is poor. Nearly all adapters have 0.9 or more."""

_EXCLUDED_NAMES = ("table rpg",)
"""Names that the paper's code excludes, besides sliders, which have a flag of their own."""

NEVER, ALWAYS, NSFW, SLIDER, SPEED, UTILITY, WEAK, POOR, STYLE, CHARACTER = (
    1 << bit for bit in range(10)
)
"""Flags of an entry. CHARACTER: a character or a real person."""


def flags_of(entry: Entry) -> int:
    card, description, state = entry.card, entry.description, entry.edits.state
    marks = (
        (NEVER, state == "never"),
        (ALWAYS, state == "always"),
        (NSFW, card.nsfw),
        (SLIDER, description.slider),
        (SPEED, description.speed),
        (UTILITY, description.utility),
        (WEAK, card.weak),
        (POOR, bool(poor(entry))),
        (STYLE, entry.kind == "style"),
        (CHARACTER, entry.kind in {"character", "person"}),
    )
    return sum(flag for flag, is_set in marks if is_set)


def poor(entry: Entry) -> str:
    """Why the quality of an entry is too low to propose it; empty if it is good enough."""
    card = entry.card
    if entry.files:
        return ""
    if card.images is not None and card.images < FEWEST_IMAGES:
        return f"not on disk, and fewer than {FEWEST_IMAGES} example images"
    if card.rating is not None and card.rating < POOR_RATING:
        return f"not on disk, and rated positive by only {card.rating:.0%}"
    if any(name in card.name.casefold() for name in _EXCLUDED_NAMES):
        return "not on disk, and excluded by name as in the paper"
    return ""


def labels_of(entry: Entry) -> tuple[str, ...]:
    """Family, then type unless it is a LoRA, folders, formats, kind and tags; each label once."""
    card = entry.card
    types = [] if card.type == LORA else [TYPE + card.type, *([NEGATIVE] if card.negative else ())]
    tags = (tag_label(tag) for tag in (entry.kind, *entry.card.tags[:MAX_TAGS]))
    return tuple(
        dict.fromkeys(
            [
                FAMILY + entry.family,
                *types,
                *folder_labels(entry),
                *(FORMAT + name for name in sorted(entry.formats)),
                *(tag for tag in tags if tag != TAG),
            ]
        )
    )


def tag_label(tag: str) -> str:
    return TAG + " ".join(tag.replace("_", " ").casefold().split())


def folder_labels(entry: Entry) -> Iterator[str]:
    """Folders of the entry's files, relative to the LoRA folder.

    Only the keys of the files (`path:<relative>`) tell where the LoRA folder begins.
    """
    keys = (entry.key, *entry.card.equivalents)
    relative = sorted((key.value for key in keys if key.scheme == "path"), key=len, reverse=True)
    for file in entry.files:
        path = "/" + file.path.replace("\\", "/").lstrip("/")
        known = next(
            (value for value in relative if path.endswith("/" + value)), PurePosixPath(path).name
        )
        folder = str(PurePosixPath(known).parent)
        yield FOLDER + ("" if folder == "." else folder.casefold())
