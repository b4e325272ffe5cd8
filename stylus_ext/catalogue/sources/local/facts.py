"""Facts that a header or folder names state about a LoRA, and the merging of facts.

Facts guessed from training tags are the last resort: a card made of them is weak.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import itemgetter

from stylus_ext.catalogue.sources.local.header import Header, family_of_tensors
from stylus_ext.core.card import Example
from stylus_ext.core.family import UNKNOWN, ecosystem, family_of, known_families
from stylus_ext.net.values import (
    NotJson,
    auto_v3,
    groups,
    listed,
    name,
    number,
    parsed,
    table,
    tags,
    text,
    verbatim,
    without_tags,
)

_MAX_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """What a sidecar, a header or a name states; empty fields are not stated."""

    name: str = ""
    version: str = ""
    model_id: int | None = None
    version_id: int | None = None
    base_model: str = ""
    tags: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    text: str = ""
    examples: tuple[Example, ...] = ()
    images: int | None = None
    weight: float | None = None
    negative_text: str = ""
    downloads: int | None = None
    rating: float | None = None
    nsfw: bool = False
    creator: str = ""
    licence: str = ""
    sha256: str = ""
    alias: str = ""
    auto_v3: str = ""
    negative: bool = False
    """The file is listed as one for the negative prompt."""


def merge_facts(statements: Sequence[StatedFacts]) -> StatedFacts:
    """For each field the first that is stated; the most trusted facts come first."""
    merged = StatedFacts()
    for facts in statements:
        gaps = {
            field.name: getattr(facts, field.name)
            for field in fields(merged)
            if getattr(merged, field.name) in (None, "", (), False)
        }
        merged = replace(merged, **gaps)
    return replace(
        merged,
        base_model=_choose_base_model([facts.base_model for facts in statements]),
        triggers=_choose_triggers([facts.triggers for facts in statements]),
        examples=tuple(
            dict.fromkeys(example for facts in statements for example in facts.examples)
        )[:_MAX_EXAMPLES],
    )


def _choose_base_model(statements: Iterable[str]) -> str:
    """The first with a known family, unless a later one is a child of it, such as Pony of SDXL."""
    unknown = chosen = ""
    for stated in statements:
        family = family_of(stated)
        unknown = unknown or stated
        if family == UNKNOWN:
            continue
        if not chosen:
            chosen = stated
        elif family != ecosystem(family) == family_of(chosen):
            return stated
    return chosen or unknown


def _choose_triggers(statements: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The first ones, or the same words in more groups: A1111 keeps all of them on one line."""
    chosen: tuple[str, ...] = ()
    for stated in statements:
        if not chosen or (len(chosen) == 1 < len(stated) and _words(stated) == _words(chosen)):
            chosen = stated
    return chosen


def _words(triggers: tuple[str, ...]) -> set[str]:
    return {word.strip().casefold() for group in triggers for word in group.split(",")} - {""}


_MADE_UP_TITLE = re.compile(r".*@\d{8,}")
_CHECKPOINTS = (("pony", "pony"), ("illustrious", "illustrious"), ("noob", "noobai"))
_OFTEN = 0.9
_MAX_TAGS = 20
_MAX_TAGS_READ = 100
_MAX_WORDS_A_GROUP = 3

_ALSO_WORDS = frozenset({"ernie", "ideogram", "lens", "mai", "mugen", "pid"})
"""Families whose names may be subjects, as those of folders."""

_COMMON = frozenset(
    """1girl 1boy 1other solo 2girls 2boys multiple_girls no_humans looking_at_viewer
    simple_background white_background
    highres absurdres masterpiece best_quality high_quality realistic photo photorealistic anime
    illustration blush smile
    open_mouth closed_mouth standing sitting upper_body full_body portrait outdoors indoors breasts
    long_hair short_hair
    bangs male_focus monochrome woman man girl boy general sensitive questionable
    explicit""".split()
)
"""Tags of most training pictures, which identify nothing."""


def header_facts(header: Header) -> StatedFacts:
    """What the trainer wrote into the file."""
    metadata = header.metadata
    title = name(metadata.get("modelspec.title"))
    hints = filter(
        None,
        (text(metadata.get("modelspec.description")), text(metadata.get("modelspec.usage_hint"))),
    )
    return StatedFacts(
        name="" if _MADE_UP_TITLE.fullmatch(title) else title,
        base_model=_base_model_of_header(header),
        tags=tags(listed(metadata.get("modelspec.tags"))),
        triggers=groups([metadata.get("modelspec.trigger_phrase")]),
        text="\n".join(hints),
        creator=name(metadata.get("modelspec.author")),
        licence=name(metadata.get("modelspec.license")),
        alias=verbatim(metadata.get("ss_output_name")),
        auto_v3=auto_v3(metadata.get("sshs_model_hash")),
    )


def _base_model_of_header(header: Header) -> str:
    """The stated model if it is known, else the family of the tensors, else as stated."""
    metadata = header.metadata
    stated = [
        name(metadata.get("modelspec.architecture")),
        name(metadata.get("ss_base_model_version")),
    ]
    if metadata.get("ss_v2") == "True":
        stated.append("sd2")
    known = [family for family in map(family_of, stated) if family in known_families()]
    family = next(iter(known), UNKNOWN)
    if family == UNKNOWN:
        family = family_of_tensors(header.shapes)
    if family == "sdxl":
        # trainers state SDXL for its children too; the base checkpoint's name tells them apart
        checkpoint = name(metadata.get("ss_sd_model_name")).casefold()
        return next((family for part, family in _CHECKPOINTS if part in checkpoint), "sdxl")
    return family if family != UNKNOWN else next(filter(None, stated), "")


def training_facts(metadata: Mapping[str, str]) -> StatedFacts:
    """What the tags of the training pictures suggest; empty if the trainer kept none."""
    folders = {
        folder: _counts(counts)
        for folder, counts in _json(metadata.get("ss_tag_frequency")).items()
    }
    pictures = {
        folder: table(about).get("img_count")
        for folder, about in _json(metadata.get("ss_dataset_dirs")).items()
    }
    totals: dict[str, float] = {}
    for counts in folders.values():
        for tag, count in counts.items():
            totals[tag] = totals.get(tag, 0) + count
    usual = sorted(totals, key=lambda tag: (-totals[tag], tag))
    concepts = [re.sub(r"^\d+_", "", folder) for folder in folders if re.match(r"\d+_", folder)]
    return StatedFacts(
        triggers=groups(
            _identifying(counts, number(pictures.get(folder))) for folder, counts in folders.items()
        ),
        tags=tags([*concepts, *usual])[:_MAX_TAGS],
    )


def _json(value: str | None) -> Mapping[str, object]:
    try:
        return table(parsed(value)) if value else {}
    except NotJson:
        return {}


def _counts(value: object) -> dict[str, float]:
    """The most frequent tags under their clean names."""
    counts = ((tag, number(count) or 0.0) for tag, count in table(value).items())
    most = heapq.nlargest(_MAX_TAGS_READ, counts, key=itemgetter(1))
    cleaned = ((without_tags(name(tag)), times) for tag, times in most if times > 0)
    return {tag: times for tag, times in cleaned if tag}


def _identifying(counts: Mapping[str, float], pictures: float | None) -> str:
    """The uncommon tags of nearly every picture; without their number, the most frequent ones."""
    enough = _OFTEN * pictures if pictures else max(counts.values(), default=0)
    uncommon = (
        tag
        for tag, count in counts.items()
        if count >= enough and tag.casefold().replace(" ", "_") not in _COMMON
    )
    often = sorted(uncommon, key=lambda tag: -counts[tag])
    return ", ".join(often[:_MAX_WORDS_A_GROUP])


def _is_family(folder: str) -> bool:
    family = family_of(folder)
    return family in known_families() and family not in _ALSO_WORDS


def folder_facts(folders: Iterable[str]) -> StatedFacts:
    """The base model and the subjects that the names of the file's folders state."""
    names = [name(folder) for folder in folders]
    families = [folder for folder in names if _is_family(folder)]
    subjects = [folder for folder in names if folder not in families]
    return StatedFacts(base_model=families[-1] if families else "", tags=tags(subjects))
