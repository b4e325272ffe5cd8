"""What a model said of a card becomes a description, or is refused with the reason: a stranger's
card may have talked it into anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stylus_ext.backends.refiners.chat_question import LONGEST_TEXT
from stylus_ext.backends.refiners.weights import HIGHEST, LOWEST
from stylus_ext.core.description import KINDS, Description
from stylus_ext.core.refining import NotRefined

_SHORTEST = 12
_MOST_WEIGHT = 2.0
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LINK = re.compile(
    r"https?:|www\.|\b[\w-]+\.(?:com|net|org|io|gg|ru|cn|app|ai|me|art|xyz)\b|@\w+", re.IGNORECASE
)
_MARKUP = re.compile(r"<[a-z!/][^<>]*>|<lora:|\]\(|```|[{}<>]", re.IGNORECASE)
_TRAINING = re.compile(
    r"\b(?:train(?:ed|ing)|dataset|epochs?|batch size|learning rate|optimi[sz]er|network"
    r" dim\w*|captioned|overfit\w*|regulari[sz]ation"
    r"|recommended (?:weight|strength|settings?)|safetensors|checkpoints?|civitai)\b",
    re.IGNORECASE,
)
_HYPE = re.compile(
    r"\b(?:amazing|awesome|stunning|breathtaking|incredibl[ey]|ultimate|fantastic|gorgeous|best(?:"
    r" ever)?|must[- ]have|state[- ]of[- ]the[- ]art"
    r"|perfect(?:ly)?|high[- ]quality|masterpiece)\b[ ,]*",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\s*\b(?:v|ver\.?|version)\s?\d+(?:\.\d+)*\b", re.IGNORECASE)
_ORDERS = re.compile(
    r"\b(?:ignor\w+|disregard\w*|forget\w*|override\w*)\b.{0,40}\b(?:rules?|instructions?|above|previous|prompts?|everything)\b"
    r"|\b(?:always|must|should|please)\s+(?:be\s+)?(?:choose|chosen|pick|picked|select|selected|use|used|include|included|prefer|preferred|rank|ranked)\b"
    r"|\b(?:choose|pick|select|prefer)\s+(?:me|this (?:one|adapter|lora))\b|\bsystem prompt\b|\bas"
    r" an? (?:ai|language model)\b"
    r"|^\W*i(?:'m| am) sorry\b|^\W*i can(?:no|')t\b",
    re.IGNORECASE,
)


def description_of(
    said: Mapping[str, Any], rules: Description, source: str, fingerprint: str
) -> Description:
    """`rules` is what the rules say of the same card, for what the model does not know;
    `NotRefined` where it said nothing usable.
    """
    kind = said.get("kind")
    if kind not in KINDS:
        raise NotRefined("The model named a kind that does not exist.")
    return replace(
        rules,
        text=_text(str(said.get("text", ""))),
        kind=kind if kind != "unknown" else rules.kind,
        source=source,
        fingerprint=fingerprint,
        weight=_weight(said.get("weight"), rules.weight),
        slider=bool(said.get("slider")),
        speed=bool(said.get("speed")) or rules.speed,
        utility=bool(said.get("utility")),
    )


def _text(said: str) -> str:
    """Sentences about anything but the picture go; a link, markup or an order anywhere refuses the
    whole.
    """
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())
    for pattern, why in ((_LINK, "a link"), (_MARKUP, "markup"), (_ORDERS, "instructions")):
        if pattern.search(text):
            raise NotRefined(f"The model's text has {why} in it.")
    kept = [sentence for sentence in _SENTENCE.split(text) if not _TRAINING.search(sentence)]
    text = _HYPE.sub("", _VERSION.sub("", " ".join(kept))).strip(" -*\"'")
    text = " ".join(text.split())
    if len(text) < _SHORTEST:
        raise NotRefined("The model's text says nothing of what the adapter draws.")
    if len(text) > LONGEST_TEXT:
        text = _cut(text)
    return text[0].upper() + text[1:]


def _cut(text: str) -> str:
    """Whole sentences, as far as they fit; one that is longer than all that is no description."""
    short = ""
    for sentence in _SENTENCE.split(text):
        if len(short) + 1 + len(sentence) > LONGEST_TEXT:
            break
        short = f"{short} {sentence}".strip()
    if len(short) < _SHORTEST:
        raise NotRefined("The model's text is one endless sentence.")
    return short


def _weight(said: Any, rules: float | None) -> float | None:
    """Nothing is said by 0; what nobody can use refuses the answer."""
    if not isinstance(said, (int, float)) or isinstance(said, bool) or said == 0:
        return rules
    if not 0 < said <= _MOST_WEIGHT:
        raise NotRefined("The model recommends a weight that nobody uses.")
    return round(min(HIGHEST, max(LOWEST, float(said))), 3)
