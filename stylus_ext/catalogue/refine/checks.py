"""Checks of a text that a model wrote about an adapter, before it becomes its description."""

from __future__ import annotations

import re

from stylus_ext.catalogue.refine.llm_prompt import MAX_TEXT
from stylus_ext.core.refining import NotRefined

_MIN_TEXT = 12
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
_INSTRUCTIONS = re.compile(
    r"\b(?:ignor\w+|disregard\w*|forget\w*|override\w*)\b.{0,40}\b(?:rules?|instructions?|above|previous|prompts?|everything)\b"
    r"|\b(?:always|must|should|please)\s+(?:be\s+)?(?:choose|chosen|pick|picked|select|selected|use|used|include|included|prefer|preferred|rank|ranked)\b"
    r"|\b(?:choose|pick|select|prefer)\s+(?:me|this (?:one|adapter|lora))\b|\bsystem prompt\b|\bas"
    r" an? (?:ai|language model)\b"
    r"|^\W*i(?:'m| am) sorry\b|^\W*i can(?:no|')t\b",
    re.IGNORECASE,
)


def checked_text(answer: str) -> str:
    """The text without sentences about training, versions and praise.

    A link, markup or an instruction anywhere refuses the whole answer.
    """
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in answer).split())
    refused = refused_part(text)
    if refused:
        raise NotRefined(f"The model's text contains {refused}.")
    kept = [sentence for sentence in _SENTENCE.split(text) if not is_about_training(sentence)]
    text = _HYPE.sub("", _VERSION.sub("", " ".join(kept))).strip(" -*\"'")
    text = " ".join(text.split())
    if len(text) < _MIN_TEXT:
        raise NotRefined("The model's text does not say what the adapter draws.")
    if len(text) > MAX_TEXT:
        text = _first_sentences(text)
    return text[0].upper() + text[1:]


def refused_part(text: str) -> str:
    """What a description must not contain, by name; empty if there is none of it."""
    parts = ((_LINK, "a link"), (_MARKUP, "markup"), (_INSTRUCTIONS, "instructions"))
    return next((name for pattern, name in parts if pattern.search(text)), "")


def is_about_training(text: str) -> bool:
    return _TRAINING.search(text) is not None


def _first_sentences(text: str) -> str:
    short = ""
    for sentence in _SENTENCE.split(text):
        if len(short) + 1 + len(sentence) > MAX_TEXT:
            break
        short = f"{short} {sentence}".strip()
    if len(short) < _MIN_TEXT:
        raise NotRefined("The model's text is one endless sentence.")
    return short
