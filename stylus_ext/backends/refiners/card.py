"""CardRefiner: a card in, a description out, by rules alone; the twin of the refiner that asks a
model.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache

from stylus_ext.backends.refiners.cleaning import MOST_TEXT, cleaned
from stylus_ext.backends.refiners.flags import flags_of
from stylus_ext.backends.refiners.html_text import plain_lines, tidy_text
from stylus_ext.backends.refiners.kinds import kind_of
from stylus_ext.backends.refiners.noise import NOISE_WORDS
from stylus_ext.backends.refiners.weights import weight_of
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.description import Description
from stylus_ext.core.prompt.stock import is_count, is_quality
from stylus_ext.core.prompt.words import content_words

VERSION = 1
"""Grows whenever the rules would say something else of the same card: cards are then refined anew.
"""

_MOST_NAME = 120
_MOST_NAMED = 6
_MOST_STATED = 40
_GENERIC = frozenset(
    """lora locon loha lycoris dora model style character concept anime v1 v2 v3 v4 v5 version test
    beta sd sd15 sdxl xl 1.5 clothing
    woman girl female man male video game photorealistic realistic tool asset background object
    pose poses art artstyle illustration
    pony illustrious noobai flux and the of""".split()
)
_BY_KIND = {
    "style": "Draws in the style of {}",
    "character": "Draws the character {}",
    "person": "Draws the person {}",
    "clothing": "Draws clothing: {}",
    "pose": "Draws the pose {}",
    "action": "Draws the action {}",
    "background": "Draws the background {}",
    "building": "Draws the building {}",
    "vehicle": "Draws the vehicle {}",
    "animal": "Draws the animal {}",
    "object": "Draws the object {}",
    "concept": "Draws {}",
    "unknown": "Draws {}",
}
_NOT_THE_NAME = re.compile(
    r"\b(?:lora|locon|loha|lycoris|dora|sdxl|sd\s?[123](?:\.\d)?|v(?:er(?:sion)?)?\.?\s?\d[\w.]*|wip|\d+\s?mb"
    r"|(?:art\s?)?style|character|concept|by\s+\w+)\b"
    r"|\[[^\]]{0,40}\]|\u3010[^\u3011]{0,40}\u3011",
    re.IGNORECASE,
)
_LOOSE_ENDS = re.compile(r"\(\s*\)|^[\s|/+:,-]+|[\s|/+:,(-]+$")
_PARTING = re.compile(r"\s*(?:[|\u2016\uff5c\ufe31]|\s[/+-]+\s)\s*")
_TAG_OR_WEIGHT = re.compile(r"<[^<>]*>|:\s*[\d.]+(?=\s*\))|[\\()\[\]{}]")


class CardRefiner:
    """Reads the card's text, tags, triggers and example prompts. Never raises, whatever a card
    holds.
    """

    name = "card"

    def refine(self, card: AdapterCard) -> Description:
        lines = plain_lines(card.text)
        page = "\n".join(lines)
        flags = flags_of(card, page)
        kind = kind_of(card, page)
        named = set(content_words(card.name[:_MOST_NAME]))
        about = named | set(
            content_words(", ".join((*card.tags, *card.triggers))[: 10 * _MOST_NAME])
        )
        text = cleaned(lines, about - _GENERIC)
        if not set(content_words(text)) - named - _GENERIC:  # says no more than the name
            text = put_together(card, kind)
        return Description(
            text=text,
            kind=kind,
            source=self.name,
            fingerprint=fingerprint(card),
            weight=weight_of(card, page, flags.slider),
            slider=flags.slider,
            speed=flags.speed,
            utility=flags.utility,
        )


def put_together(card: AdapterCard, kind: str) -> str:
    """A sentence made of nothing but the card's own name, tags and trigger words; empty where there
    are none.
    """
    name = _core(card.name[:_MOST_NAME])
    known = set(content_words(name)) | _GENERIC
    details: list[str] = []
    stated = (*card.tags, *(part for group in card.triggers for part in group.split(",")))
    for piece in stated[:_MOST_STATED]:
        detail, said = _detail(piece[:_MOST_NAME])
        if not said <= known:
            details.append(detail)
            known |= said
            if len(details) == _MOST_NAMED:
                break
    if not name and not details:
        return ""
    subject = name or details.pop(0)
    text = _BY_KIND[kind].format(subject) + (f", with {', '.join(details)}" if details else "")
    return text[: MOST_TEXT - 1].rstrip(" ,.") + "."


@lru_cache(maxsize=1 << 13)  # of a catalogue's tags, most are said again and again
def _detail(piece: str) -> tuple[str, frozenset[str]]:
    """A tag or trigger as it can be read, and its words: none where it says nothing of the
    picture.
    """
    text = tidy_text(_TAG_OR_WEIGHT.sub("", piece).replace("_", " ")).strip(" .,")
    said = frozenset(content_words(text))
    if not said.isdisjoint(NOISE_WORDS) or is_count(text) or is_quality(text):
        return text, frozenset()
    return text, said


def fingerprint(card: AdapterCard) -> str:
    """Of everything that is read here, and of the rules."""
    read = [
        VERSION,
        card.name,
        card.kind,
        card.tags,
        card.triggers,
        card.text,
        [(example.prompt, example.weight) for example in card.examples],
    ]
    return hashlib.sha256(json.dumps(read, ensure_ascii=True).encode("ascii")).hexdigest()[:32]


def _core(name: str) -> str:
    """The name without version, brackets of makers and the words that every name has; the whole
    where nothing is left.
    """
    whole = tidy_text(name).replace("_", " ").strip()
    core = re.sub(r"\s+", " ", _NOT_THE_NAME.sub(" ", whole))
    for _ in range(3):
        core = _LOOSE_ENDS.sub("", core).strip()
    return re.sub(r"\s+", " ", _PARTING.sub(", ", core)) or whole
