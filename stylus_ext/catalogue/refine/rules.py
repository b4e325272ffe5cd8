"""Refiner by rules alone: flags, weight and text of a card, without a language model."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from stylus_ext.catalogue.refine.kinds import kind_of
from stylus_ext.catalogue.refine.noise import NOISE_WORDS
from stylus_ext.catalogue.refine.text import MAX_TEXT, clean_text, plain_lines, tidy_text
from stylus_ext.catalogue.refine.weights import weight_of
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.entry import Description
from stylus_ext.core.prompt.phrases import is_count, is_quality
from stylus_ext.core.prompt.words import common_words, content_words


@dataclass(frozen=True, slots=True)
class Flags:
    """What an adapter is besides its kind."""

    slider: bool = False
    speed: bool = False
    utility: bool = False


_FLAG_NAME_LIMIT, _FLAG_TEXT_LIMIT = 300, 3_000
_SLIDER_TAGS = frozenset(
    {"slider", "sliders", "concept slider", "concept sliders", "leco", "slider lora"}
)
_UTILITY_TAGS = frozenset(
    map(
        str.strip,
        """
        utility, utilities, detail tweaker, enhancer, detailer, detail enhancer, noise offset,
        offset noise, quality enhancer, negative embedding, hand fix, fix hands, hands fix,
        better hands, anatomy fix, contrast fix
        """.split(","),
    )
)
_SUBJECTS = frozenset(
    "character celebrity clothing poses background buildings objects vehicle animal action".split()
)

_SLIDER = re.compile(r"slider|\bleco\b|滑块|滑桿|スライダー")
_SLIDER_TEXT = re.compile(
    r"\b(?:slider lora|lora slider|concept slider|leco\b)|\bfrom -\d+(?:\.\d+)? to \+?\d|\bnegative"
    r" (?:weights?"
    r"|values?|strengths?) (?:to|will|for|make|makes|give|do)\b",
)
_SPEED = re.compile(
    r"(?<![a-z])(?:lcm|tcd|pcm|dmd"
    r" ?2?|sdxs|causvid|lightx2v|fastwan|self.?forcing|hyper.?sd(?:xl|\d)?|perflow"
    r"|rcm)(?![a-z])"
    r"|\b(?:\d+|two|four|eight|few)[ -]?steps?\b(?=.*\b(?:lora|turbo|lightning|hyper|distill\w*)\b)"
    r"|(?:sd\s?1\.?5|sdxl|xl|sd3|sd3\.5|flux|wan|qwen|pony|illustrious)["
    r" _.-]*(?:lightning|turbo|hyper|schnell)\b",
)
_SPEED_MAYBE = re.compile(r"\b(?:lightning|turbo|hyper|accelerat\w+|speed.?up|fast(?:er)?|flash)\b")
_SPEED_TEXT = re.compile(
    r"\b(?:[1-9]|1[0-2])\s*(?:-|~|to)?\s*\d{0,2}\s*steps?\b|\bfew(?:er)?[ -]steps?\b|\bdistill\w*"
    r"|\bfast(?:er)? (?:sampl|infer|generat)\w*"
)
_UTILITY = re.compile(
    r"\bdetail(?:s|ed|er)?["
    r" _-]*(?:tweak\w*|enhanc\w*|boost\w*|slider|lora\b|improve\w*|adjust\w*|fix\w*)"
    r"|\badd(?:s|ing)?[ _-]*(?:more[ _-]*)?details?\b|\bmore[ _-]*details?\b"
    r"|\b(?:noise[ _-]*offset|offset[ _-]*noise|epi_?noise\w*)\b|\bcontrast["
    r" _-]*(?:fix|boost\w*|enhanc\w*)"
    r"|\blow[ _-]?ra\b"
    r"|\b(?:better|bad|perfect|fix(?:ed|ing)?|good|correct|detailed|real)["
    r" _-]*(?:hands?|fingers|anatomy|faces?"
    r"|feet)\b|\b(?:hands?|fingers|anatomy|face|eyes)["
    r" _-]*(?:fix\w*|correct\w*|repair\w*|improve\w*|enhanc\w*"
    r"|detailer|refine\w*|xl)\b"
    r"|\b(?:quality|image|picture|skin|photo|lighting|color|realism|aesthetic)["
    r" _-]*(?:enhanc\w*|boost\w*"
    r"|improve\w*|tweak\w*|fix\w*)|\b(?:enhancer|tweaker?|booster|detailer|upscaler|sharpener|beautifier|denoiser)\b"
    r"|(?:saturation|brightness|exposure|sharpness)["
    r" _-]*(?:tweak\w*|adjust\w*|control|fix)?\b|\bhands?[ _-]*mix\b"
    r"|\bquick[ _-]*hands?\b|\bfine ?tuner\b"
    r"|细节|細節|手部|修手|调整|調整|提升画质|增强",
)


def flags_of(card: AdapterCard, text: str) -> Flags:
    """Subject tags exclude persons and cars with the name of an accelerator or enhancer."""
    tags = {tag.strip().lower() for tag in card.tags}
    subject = bool(tags & _SUBJECTS)
    title, text = (
        card.name.lower().replace("_", " ")[:_FLAG_NAME_LIMIT],
        text[:_FLAG_TEXT_LIMIT].lower(),
    )
    slider = bool(_SLIDER.search(title) or tags & _SLIDER_TAGS)
    if not slider and any(word in text for word in ("slider", "leco", "from -", "negative ")):
        slider = bool(_SLIDER_TEXT.search(text))
    speed = not subject and bool(
        _SPEED.search(title) or (_SPEED_MAYBE.search(title) and _SPEED_TEXT.search(text))
    )
    utility = bool(_UTILITY.search(title)) and tags.isdisjoint({"character", "celebrity"})
    return Flags(
        slider,
        speed,
        utility or (bool(tags & _UTILITY_TAGS) and not subject and "style" not in tags),
    )


VERSION = 3
"""Increased when the rules change: cards are then refined again."""

_MAX_NAME = 120
_MAX_NAMED = 6
_MAX_DETAIL = 40
"""Characters of a tag or trigger; longer ones are sentences."""
_MAX_STATED = 40
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
_PLACEHOLDERS = frozenset(("character", "series", "name", "artist", "copyright", "tag"))
"""Words of templates that an author did not fill in."""
_LOOSE_ENDS = re.compile(r"\(\s*\)|\u300c\s*\u300d|^[\s|/+:,-]+|[\s|/+:,(-]+$")
_PARTING = re.compile(r"\s*(?:[|\u2016\uff5c\ufe31]|\s[/+-]+\s)\s*")
_TAG_OR_WEIGHT = re.compile(r"<[^<>]*>|:\s*[\d.]+(?=\s*\))|[\\()\[\]{}]")


class CardRefiner:
    """Implements `Refiner`; never raises, whatever a card holds."""

    name = "card"

    def refine(self, card: AdapterCard) -> Description:
        lines = plain_lines(card.text)
        page = "\n".join(lines)
        flags = flags_of(card, page)
        kind = kind_of(card, page)
        weight = weight_of(card, page, flags.slider)
        text = _stated_text(card, lines) or compose_text(card, kind)
        return Description(
            text=text,
            kind=kind,
            source=self.name,
            fingerprint=fingerprint(card),
            weight=weight.value if weight else None,
            min_weight=weight.least if weight else None,
            max_weight=weight.most if weight else None,
            slider=flags.slider,
            speed=flags.speed,
            utility=flags.utility,
        )


def _stated_text(card: AdapterCard, lines: Collection[str]) -> str:
    """What the author's text says about the picture; empty if that is no more than the name."""
    named = set(content_words(card.name[:_MAX_NAME]))
    about = named | set(content_words(", ".join((*card.tags, *card.triggers))[: 10 * _MAX_NAME]))
    text = clean_text(lines, about - _GENERIC)
    return text if says_what_it_draws(text, named) else ""


def says_only_its_name(card: AdapterCard) -> bool:
    """True if neither the author's text nor tags and trigger words add a known word to the name."""
    if _stated_text(card, plain_lines(card.text)):
        return False
    known = common_words()
    return not any(word in known for detail in _details(card) for word in content_words(detail))


def says_what_it_draws(text: str, named: Collection[str] = ()) -> bool:
    """True for more than one word, of which one is neither generic nor of the name."""
    found = {word for word in content_words(text) if not word.isdigit()}
    return len(found) > 1 and not found <= _GENERIC.union(named)


def compose_text(card: AdapterCard, kind: str) -> str:
    """A sentence made of the card's name, tags and trigger words only; empty without any."""
    name = _core_name(card.name[:_MAX_NAME])
    details = _details(card)
    if not name and not details:
        return ""
    subject = name or details.pop(0)
    text = _BY_KIND[kind].format(subject) + (f", with {', '.join(details)}" if details else "")
    return text[: MAX_TEXT - 1].rstrip(" ,.") + "."


def _details(card: AdapterCard) -> list[str]:
    """Tags and trigger words that add something to the name, as readable texts."""
    known = set(content_words(_core_name(card.name[:_MAX_NAME]))) | _GENERIC
    details: list[str] = []
    stated = (*card.tags, *(part for group in card.triggers for part in group.split(",")))
    for piece in stated[:_MAX_STATED]:
        detail, words = detail_of(piece[:_MAX_NAME])
        if not words <= known:
            details.append(detail)
            known |= words
            if len(details) == _MAX_NAMED:
                break
    return details


@lru_cache(maxsize=1 << 13)  # most tags of a catalogue repeat
def detail_of(piece: str) -> tuple[str, frozenset[str]]:
    """A tag or trigger as readable text, and its words; no words if it is not about the picture."""
    text = tidy_text(_TAG_OR_WEIGHT.sub("", piece).replace("_", " ")).strip(" .,")
    words = frozenset(content_words(text))
    says_nothing = not any(map(str.isalpha, text)) or words <= _PLACEHOLDERS
    if says_nothing or len(text) > _MAX_DETAIL:
        return text, frozenset()
    if not words.isdisjoint(NOISE_WORDS) or is_count(text) or is_quality(text):
        return text, frozenset()
    return text, words


def fingerprint(card: AdapterCard, version: int | None = None) -> str:
    """A hash of everything that the rules read, and of their version."""
    inputs = [
        VERSION if version is None else version,
        card.name,
        card.kind,
        card.tags,
        card.triggers,
        card.text,
        [(example.prompt, example.weight) for example in card.examples],
    ]
    return hashlib.sha256(json.dumps(inputs, ensure_ascii=True).encode("ascii")).hexdigest()[:32]


def _core_name(name: str) -> str:
    """The name without version, author and generic words, or the whole name if nothing is left."""
    whole = tidy_text(name).replace("_", " ").strip()
    core = re.sub(r"\s+", " ", _NOT_THE_NAME.sub(" ", whole))
    for _ in range(3):
        core = _LOOSE_ENDS.sub("", core).strip()
    return re.sub(r"(?:,\s*)+,|\s+", _first_sign, _PARTING.sub(", ", core)) or whole


def _first_sign(match: re.Match[str]) -> str:
    return match.group()[0]
