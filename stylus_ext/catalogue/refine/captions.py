"""Descriptions made from captions of an adapter's pictures, where its card says nothing.

What the pictures share is the adapter; what differs between them is their prompts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from stylus_ext.catalogue.refine.checks import checked_text, is_about_training, refused_part
from stylus_ext.catalogue.refine.rules import detail_of, says_only_its_name
from stylus_ext.catalogue.refine.rules import fingerprint as card_fingerprint
from stylus_ext.core.captions import Captions
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.entry import BY_CAPTIONS, BY_RULES, Description, preferred
from stylus_ext.core.prompt.phrases import WEAK, WEAK_VERBS
from stylus_ext.core.prompt.words import content_words
from stylus_ext.core.refining import NotRefined
from stylus_ext.llm.injection_guard import addresses_model

VERSION = 1
"""Increased when the rules change: descriptions are then made again from the stored captions."""

_CARD_VERSION = 1
_LONGEST_CAPTION = 300
_MOST_TAGS = 10
_TYPICAL = 0.5
"""Least share of common words in a sentence that stands for all pictures."""
_LOOP, _OPENINGS = 3, 3
_BLIP_OPENING = re.compile(
    r"^(?:araff?e\w*|there (?:is|are)|this is|it is"
    r"|(?:an? )?(?:close[- ]?up|image|picture|photo)(?: of| that shows))\s+",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\([()\\])")
_OF_MOST_PICTURES = frozenset(
    """
    solo; looking at viewer; simple background; white background; grey background; gradient
    background; blurry background; blurry; upper body; full body; cowboy shot; standing; sitting;
    smile; open mouth; closed mouth; blush; parted lips; bangs; male focus; signature; watermark;
    artist name; web address; dated; copyright name; character name; english text; text focus; logo;
    border; no humans; realistic; highres; absurdres; commentary
    """.replace("\n", " ").split(";")
)
_COMMON_TAGS = frozenset(" ".join(tag.split()) for tag in _OF_MOST_PICTURES)
"""Tags that say nothing about an adapter, since most pictures have them."""


def lacks_text(card: AdapterCard) -> bool:
    """True if the rules find no more than a name, or statistics of training, on the card."""
    return card.weak or says_only_its_name(card)


def described(
    by_rules: Description, card: AdapterCard, pictures: Sequence[Captions]
) -> Description:
    """The description by captions; kind, weight and flags are those of the rules.

    The kind is not read from pictures: they do not tell a style from its subjects. Raises
    `NotRefined` if the captions say nothing.
    """
    return replace(
        by_rules,
        text=text_of(pictures),
        source=BY_CAPTIONS,
        fingerprint=fingerprint(card, pictures),
    )


def fingerprint(card: AdapterCard, pictures: Sequence[Captions]) -> str:
    """A hash of everything that a description by captions is made from."""
    read = sorted(json.dumps(captions, sort_keys=True) for captions in pictures)
    parts = json.dumps([VERSION, card_fingerprint(card, _CARD_VERSION), read])
    return hashlib.sha256(parts.encode("ascii")).hexdigest()[:32]


def kept_description(new: Description, old: Description, card: AdapterCard) -> Description:
    """The better description of a card that was read again.

    A text from captions stays while the card has none of its own; the rest follows the card.
    """
    if old.source != BY_CAPTIONS or new.source != BY_RULES:
        return preferred(new, old)
    if not lacks_text(card):
        return new
    return replace(new, text=old.text, source=old.source, fingerprint=old.fingerprint)


def text_of(pictures: Sequence[Captions]) -> str:
    """The most typical sentence and the common tags of the pictures, checked.

    With several pictures only what at least two of them and half of them show counts. A sentence
    with a link, markup or an instruction is left out.
    """
    sentences = [_usable_sentence(captions.get("blip", "")) for captions in pictures]
    tags = [_usable_tags(captions.get("deepbooru", "")) for captions in pictures]
    read = [pair for pair in zip(sentences, tags, strict=True) if any(pair)]
    if not read:
        raise NotRefined("The captions say nothing.")
    needed = 1 if len(read) == 1 else max(2, -(-len(read) // 2))
    common = _common([_shown_words(sentence, few) for sentence, few in read], needed)
    typical = _typical([sentence for sentence, _ in read], common)
    shared = _common([few for _, few in read], needed)
    rest = [tag for tag in shared if not set(content_words(tag)) <= set(content_words(typical))]
    if not typical and not rest:
        rest = list(common)
    parts = [f"{typical}."] if typical else []
    if rest:
        parts.append(f"{'With' if typical else 'Pictures with'} {', '.join(rest[:_MOST_TAGS])}.")
    return checked_text(" ".join(parts))


def _common(groups: Sequence[Sequence[str]], needed: int) -> list[str]:
    """Items that at least `needed` groups have, the most frequent first."""
    counts = Counter(item for group in groups for item in dict.fromkeys(group))
    return [item for item, count in counts.most_common() if count >= needed]


def _shown_words(sentence: str, tags: Sequence[str]) -> list[str]:
    return [*_strong_words(sentence), *_strong_words(", ".join(tags))]


def _strong_words(text: str) -> list[str]:
    return [word for word in content_words(text) if word not in WEAK and word not in WEAK_VERBS]


def _typical(sentences: Sequence[str], common: Sequence[str]) -> str:
    """The sentence with the largest share of common words; empty if that is small."""
    known = set(common)

    def share(sentence: str) -> float:
        found = set(_strong_words(sentence))
        return len(found & known) / len(found) if found else 0.0

    best = max(sentences, key=share, default="")
    return best if share(best) >= _TYPICAL else ""


def _usable_sentence(caption: str) -> str:
    """A caption without its opening and repetitions; empty if it is refused."""
    words = " ".join(caption[:_LONGEST_CAPTION].split()).rstrip(" .").split(" ")
    seen: set[tuple[str, ...]] = set()
    for at in range(len(words) - _LOOP + 1):
        three = tuple(words[at : at + _LOOP])
        if three in seen:  # the model repeats itself from here on
            words = words[:at]
            break
        seen.add(three)
    text = " ".join(words)
    for _ in range(_OPENINGS):
        text = _BLIP_OPENING.sub("", text)
    return text if _is_safe(text) else ""


def _usable_tags(tags: str) -> list[str]:
    """Tags that are about the picture, as readable text, each once."""
    found: dict[str, None] = {}
    for tag in tags.split(","):
        text, words = detail_of(_ESCAPE.sub(r"\1", tag).strip())
        if words and text.lower() not in _COMMON_TAGS and _is_safe(text):
            found.setdefault(text.lower())
    return list(found)


def _is_safe(text: str) -> bool:
    """False for a link, markup, words about training, and text that addresses a model."""
    return not (refused_part(text) or is_about_training(text) or addresses_model(text))
