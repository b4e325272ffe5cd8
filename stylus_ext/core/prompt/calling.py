"""What an adapter may be called in a prompt: its name without the talk of file names, its parts,
and its trigger words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from stylus_ext.core.description import Entry
from stylus_ext.core.prompt.words import content_words

_PARTS = re.compile(r"[|/\\()\[\]{}【】（）「」:：;,，、+~]|\s[-–—]\s|--+")
_VERSION = re.compile(
    r"v?\d+(\.\d+)*[a-z]?|epoch\d*|e\d+|ver\d*|rev\d*|sd\d*|xl|sdxl|il|noob", re.IGNORECASE
)
_OTHER_SCRIPT = re.compile(r"[^\W\x00-\u024f]{2,}")
"""A name in another script beside the Latin one: カラオケ karaokeroom."""

_TALK = frozenset(
    """lora locon lyco lycori lycoris loha dora loras style styles character characters concept
    embedding model checkpoint version
    ver update updated new by from the of for trained training pony illustrious flux pdxl noobai
    sdxl beta alpha final test
    experimental release nsfw sfw outfit outfits costume cosplay""".split()
)
"""Words of a name that nobody writes into a prompt."""

MOST_PHRASE_WORDS = 6
MOST_TRIGGERS = 16
MOST_PARTS = 12
MOST_TAGS = 24

_SOMEBODY = frozenset(("character", "person"))


@lru_cache(maxsize=16_384)
def name_phrases(name: str) -> tuple[tuple[str, ...], ...]:
    """The sets of words by which a name can be recognised: the whole of it, and each of its
    parts.
    """
    parts = (name, *_PARTS.split(name)[:MOST_PARTS], *_OTHER_SCRIPT.findall(name)[:MOST_PARTS])
    phrases = (tuple(dict.fromkeys(_telling(content_words(part)))) for part in parts)
    return tuple(
        dict.fromkeys(phrase for phrase in phrases if 0 < len(phrase) <= MOST_PHRASE_WORDS)
    )


def entry_names(entry: Entry) -> tuple[tuple[str, ...], ...]:
    """By which an entry can be recognised: those of its name, and of somebody also the name without
    the series behind it.
    """
    if entry.kind not in _SOMEBODY:
        return name_phrases(entry.card.name)
    return _of_somebody(
        entry.card.name, entry.card.tags[:MOST_TAGS], entry.triggers[:MOST_TRIGGERS]
    )


@lru_cache(maxsize=16_384)
def _of_somebody(
    name: str, tags: tuple[str, ...], triggers: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """Mira, too, of Mira Skyreach Saga: a tag says what the series is, and a trigger that Mira is
    who is drawn.
    """
    phrases = name_phrases(name)
    if max(map(len, phrases), default=0) <= 2:  # noqa: PLR2004
        return phrases
    series = {tuple(content_words(tag)) for tag in tags}
    alone = [
        phrase[:end]
        for phrase in phrases
        for end in range(1, len(phrase) - 1)
        if phrase[end:] in series
    ]
    pieces = (
        [piece for trigger in triggers for piece in trigger.split(",")[:MOST_TRIGGERS]]
        if alone
        else []
    )
    spoken = ["".join(content_words(piece)) for piece in pieces]
    named = (who for who in alone if any("".join(who) in trigger for trigger in spoken))
    return tuple(dict.fromkeys((*phrases, *named)))


def trigger_phrases(entry: Entry) -> Iterator[tuple[str, ...]]:
    """Each trigger word or phrase, cut at its commas, as a set of words."""
    seen: set[tuple[str, ...]] = set()
    for trigger in entry.triggers[:MOST_TRIGGERS]:
        for piece in trigger.split(",")[:MOST_TRIGGERS]:
            phrase = tuple(dict.fromkeys(content_words(piece)))
            if phrase and len(phrase) <= MOST_PHRASE_WORDS and phrase not in seen:
                seen.add(phrase)
                yield phrase


def _telling(words: list[str]) -> list[str]:
    """Without talk and versions, unless nothing else is left."""
    return [word for word in words if word not in _TALK and not _VERSION.fullmatch(word)]
