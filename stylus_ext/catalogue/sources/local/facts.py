"""What the header of a LoRA states: the trainer's own words first, the shapes of the tensors where
it has none.

The frequencies of the training tags are the last resort, and apart: whoever uses them marks the
card as weak.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

_MOST_EXAMPLES = 20
_SAYS_NOTHING = (UNKNOWN, "other")


@dataclass(frozen=True, slots=True)
class StatedFacts:
    """What a sidecar, a header or a name states; what is empty is not stated."""

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


def joined(statements: Sequence[StatedFacts]) -> StatedFacts:
    """For each field the first that says anything; the trusted come first."""
    together = StatedFacts()
    for facts in statements:
        gaps = {
            field.name: getattr(facts, field.name)
            for field in fields(together)
            if getattr(together, field.name) in (None, "", (), False)
        }
        together = replace(together, **gaps)
    return replace(
        together,
        base_model=_base_model([facts.base_model for facts in statements]),
        triggers=_triggers([facts.triggers for facts in statements]),
        examples=tuple(dict.fromkeys(one for facts in statements for one in facts.examples))[
            :_MOST_EXAMPLES
        ],
    )


def _base_model(statements: Iterable[str]) -> str:
    """The first that names a family, unless a later one says the same more exactly: SDXL, of those
    Pony.
    """
    vague = chosen = ""
    for stated in statements:
        family = family_of(stated)
        vague = vague or stated
        if family in _SAYS_NOTHING:
            continue
        if not chosen:
            chosen = stated
        elif family != ecosystem(family) == family_of(chosen):
            return stated
    return chosen or vague


def _triggers(statements: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The first that has any; the same words in better groups (A1111 keeps them all on one line)
    are taken from a later.
    """
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
_MOST_TAGS = 20
_MOST_TAGS_READ = 100
_MOST_WORDS_A_GROUP = 3

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
"""What is in most pictures of any training set and identifies nothing."""


def header_facts(header: Header) -> StatedFacts:
    """What the trainer wrote into the file."""
    said = header.metadata
    title = name(said.get("modelspec.title"))
    hints = filter(
        None, (text(said.get("modelspec.description")), text(said.get("modelspec.usage_hint")))
    )
    return StatedFacts(
        name="" if _MADE_UP_TITLE.fullmatch(title) else title,
        base_model=_base_model_of_header(header),
        tags=tags(listed(said.get("modelspec.tags"))),
        triggers=groups([said.get("modelspec.trigger_phrase")]),
        text="\n".join(hints),
        creator=name(said.get("modelspec.author")),
        licence=name(said.get("modelspec.license")),
        alias=verbatim(said.get("ss_output_name")),
        auto_v3=auto_v3(said.get("sshs_model_hash")),
    )


def _base_model_of_header(header: Header) -> str:
    """The trainer's word if it is a known one, else that of the tensors, else the trainer's
    whatever it be.
    """
    said = header.metadata
    stated = [name(said.get("modelspec.architecture")), name(said.get("ss_base_model_version"))]
    if said.get("ss_v2") == "True":
        stated.append("sd2")
    known = [family for family in map(family_of, stated) if family in known_families()]
    family = next(iter(known), UNKNOWN)
    if family == UNKNOWN:
        family = family_of_tensors(header.shapes)
    if family == "sdxl":
        return _child_of_sdxl(name(said.get("ss_sd_model_name")).casefold())
    return family if family != UNKNOWN else next(filter(None, stated), "")


def _child_of_sdxl(checkpoint: str) -> str:
    """Trainers call all of them SDXL; the name of the checkpoint that was trained on tells the
    children apart.
    """
    return next((family for part, family in _CHECKPOINTS if part in checkpoint), "sdxl")


def training_facts(metadata: Mapping[str, str]) -> StatedFacts:
    """What can be guessed from the tags that the training pictures had; empty where the trainer
    kept none.
    """
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
        tags=tags([*concepts, *usual])[:_MOST_TAGS],
    )


def _json(value: str | None) -> Mapping[str, object]:
    try:
        return table(parsed(value)) if value else {}
    except NotJson:
        return {}


def _counts(value: object) -> dict[str, float]:
    """How often each of the usual tags was used, under its clean name."""
    counts = ((tag, number(count) or 0.0) for tag, count in table(value).items())
    most = heapq.nlargest(_MOST_TAGS_READ, counts, key=itemgetter(1))
    cleaned = ((without_tags(name(tag)), times) for tag, times in most if times > 0)
    return {tag: times for tag, times in cleaned if tag}


def _identifying(counts: Mapping[str, float], pictures: float | None) -> str:
    """The uncommon words that nearly every picture of the folder had; without their number, those
    used most of all.
    """
    enough = _OFTEN * pictures if pictures else max(counts.values(), default=0)
    often = sorted(_uncommon(counts, enough), key=lambda tag: -counts[tag])
    return ", ".join(often[:_MOST_WORDS_A_GROUP])


def _uncommon(counts: Mapping[str, float], enough: float) -> Iterator[str]:
    for tag, count in counts.items():
        if count >= enough and tag.casefold().replace(" ", "_") not in _COMMON:
            yield tag


def folder_facts(folders: Iterable[str]) -> StatedFacts:
    """What the folders say in which the user sorted the file: a base model, or a subject."""
    names = [name(folder) for folder in folders]
    families = [folder for folder in names if family_of(folder) in known_families()]
    subjects = [folder for folder in names if folder not in families]
    return StatedFacts(base_model=families[-1] if families else "", tags=tags(subjects))
