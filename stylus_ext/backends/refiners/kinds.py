"""A card in, its kind out: by what its tags, name, trigger words, text and example prompts speak
for, added up.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from stylus_ext.backends.refiners.kind_words import (
    BODY,
    CATEGORIES,
    IN_NAME,
    IN_TEXT,
    PERSON_TAGS,
    TITLED,
    WORDS,
)
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.description import KINDS
from stylus_ext.core.prompt.words import words

# How much each place counts. The source's own category outweighs everything but the name of a real
# person.
_CATEGORY, _PERSON, _CONCEPT, _NAME_PATTERN, _NAME_WORD, _TAG_WORD, _TEXT, _HINT = (
    10.0,
    11.0,
    2.0,
    5.0,
    2.5,
    1.5,
    1.5,
    1.0,
)
_LEAST = 1.5
_MOST_TAG_WORDS = 3.0
_MOST_TEXT = 800
_BODY_WORDS = 3
_FEMALE_OR_MALE = frozenset(
    {"girl", "girls", "woman", "women", "female", "male", "man", "boy", "1girl", "1boy"}
)
Scores = defaultdict[str, float]
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ORDER = {kind: place for place, kind in enumerate(KINDS)}


def kind_of(card: AdapterCard, text: str) -> str:
    """`text` is the page without its markup. `unknown` where nothing speaks for any kind."""
    if card.kind.lower() in KINDS and card.kind.lower() != "unknown":
        return card.kind.lower()
    scores: Scores = defaultdict(float)
    _hear_tags(card.tags, scores)
    if not scores or max(scores.values()) < _CATEGORY:  # else nothing below could outweigh it
        _hear_name(card.name[:_MOST_TEXT], scores)
        _hear_text(text[:_MOST_TEXT], scores)
        _hear_triggers(card, scores)
    if not scores:
        return "unknown"
    kind = min(scores, key=lambda kind: (-scores[kind], _ORDER[kind]))
    return kind if scores[kind] >= _LEAST else "unknown"


def _hear_tags(tags: tuple[str, ...], scores: Scores) -> None:
    lower = {tag.strip().lower() for tag in tags}
    for tag in lower & CATEGORIES.keys():
        scores[CATEGORIES[tag]] += _CATEGORY
    if lower & PERSON_TAGS:
        scores["person"] += _PERSON
    if scores:
        return
    votes = Counter[str]()
    if lower & _FEMALE_OR_MALE and "concept" not in lower:
        votes["character"] += 1
    for tag in lower - _FEMALE_OR_MALE:
        if tag == "concept":
            scores["concept"] += _CONCEPT
        else:
            votes.update({WORDS[word] for word in words(tag) if word in WORDS})
    for kind, count in votes.items():
        scores[kind] += min(_MOST_TAG_WORDS, _TAG_WORD * count)


def _hear_name(name: str, scores: Scores) -> None:
    for kind, pattern in IN_NAME:
        if pattern.search(name):
            scores[kind] += _NAME_PATTERN
    for kind in {WORDS[word] for word in words(_CAMEL.sub(" ", name)) if word in WORDS}:
        scores[kind] += _NAME_WORD


def _hear_text(text: str, scores: Scores) -> None:
    for kind, pattern in IN_TEXT:
        if pattern.search(text):
            scores[kind] += _TEXT


def _hear_triggers(card: AdapterCard, scores: Scores) -> None:
    spoken = ", ".join(card.triggers)[:_MOST_TEXT].lower()
    if "(style" in spoken or "artstyle" in spoken or "style" in words(spoken):
        scores["style"] += 2 * _HINT
    if len(BODY.findall(spoken)) >= _BODY_WORDS:
        scores["character"] += 2 * _HINT
    if TITLED.search(card.name) and "style" not in card.name.lower():
        scores["character"] += 2 * _HINT
    for kind in {WORDS[word] for word in words(spoken)[:40] if word in WORDS}:
        scores[kind] += _HINT
    prompts = [example.prompt[:300].lower() for example in card.examples[:5]]
    if prompts and all(BODY.search(prompt) for prompt in prompts):
        scores["character"] += _HINT / 2
    if prompts and all("no humans" in prompt or "scenery" in prompt for prompt in prompts):
        scores["background"] += _HINT
