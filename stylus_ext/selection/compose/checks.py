"""Why a candidate may not be picked: rules for characters, tools, weak cards and narrow matches.

Each check returns a reason, or an empty text if there is none. `words` are those of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.entry import Entry
from stylus_ext.core.feedback import ALIKE, likeness
from stylus_ext.core.prompt.phrases import is_count
from stylus_ext.core.prompt.words import (
    common_words,
    content_words,
    entry_names,
    name_phrases,
    trigger_phrases,
)

_WEAK_WORDS = Path(__file__).resolve().parents[2] / "data" / "weak_words.txt"


def _weak_words() -> tuple[frozenset[str], frozenset[str]]:
    common, attributes = _WEAK_WORDS.read_text("ascii").split("\n\n")
    return frozenset(common.split()[1:]), frozenset(attributes.split()[1:])


COMMON, ATTRIBUTES = _weak_words()
"""Everyday words, which do not name a character by themselves; and words for look and material."""

DISTINCTIVE = 4.5
"""Least idf mass (nats) of a distinctive name or trigger; a word on 1 % of cards has 4.6."""

COINED = 6.0
"""Least idf (nats) of each word of a coined name, which hardly another card has."""

CLOSE_ENOUGH = 0.45
"""Cosine with the prompt that is second evidence for a name that is a common word."""


def is_mentioned(evidence: Evidence) -> bool:
    """Whether the prompt has its name or trigger, and not by chance."""
    if not (evidence.named or evidence.trigger):
        return False
    return is_distinctive(evidence) or len(evidence.named) > 1 or evidence.cosine >= CLOSE_ENOUGH


def is_called(candidate: Candidate) -> bool:
    """Whether the prompt, or one of its tasks, mentions its name or trigger."""
    return any(map(is_mentioned, (candidate.evidence, *candidate.spans.values())))


def is_coined(evidence: Evidence) -> bool:
    """Whether its name or trigger has words of no other card, so that nothing else can be meant."""
    counts = (len(evidence.named), len(set(content_words(evidence.trigger))))
    least = min((count for count in counts if count), default=0)
    return is_distinctive(evidence) and evidence.rarity >= COINED * least


def is_distinctive(evidence: Evidence) -> bool:
    """Whether the words of the name or trigger are rare, and not just one everyday word."""
    if not (evidence.named or evidence.trigger):
        return False
    words = {*evidence.named, *content_words(evidence.trigger)}
    return evidence.rarity >= DISTINCTIVE and not (len(words) == 1 and words <= COMMON)


def refusal(candidate: Candidate, words: Collection[str]) -> str:
    """Why it may not be picked for any task."""
    entry, evidence = candidate.entry, candidate.evidence
    if reason := tool_refusal(candidate, words):
        return reason
    if entry.kind in CHARACTERS and not names_character(candidate, words):
        return f"it draws one particular {entry.kind} you did not ask for"
    if entry.card.weak and not is_distinctive(evidence):
        if not (evidence.named or evidence.trigger):
            return "too little is known about it, and your prompt has no name or trigger of it"
        if not _was_used_alike(entry, words):
            return "too little is known about it, and your prompt has only an everyday word of it"
    return ""


def _was_used_alike(entry: Entry, words: Collection[str]) -> bool:
    """Whether the user made a picture with it from a similar prompt.

    The examples of a weak card are the user's own pictures. A word that they made common in the
    catalogue still means this adapter.
    """
    here = frozenset(content_words(" ".join(words)))
    return any(
        likeness(here, frozenset(content_words(example.prompt))) >= ALIKE
        for example in entry.card.examples
    )


# Tools: sliders, speed and utility adapters.

_REQUESTS = {
    "slider": frozenset(("slider",)),
    "speed": frozenset(
        ("lcm", "lightning", "turbo", "hyper", "dmd2", "dmd", "tcd", "schnell", "speed", "fast")
    ),
    "utility": frozenset(
        ("detailer", "tweaker", "enhancer", "offset", "noise", "utility", "fix", "adddetail")
    ),
}
_UNMISTAKABLE = frozenset(("lcm", "dmd2", "dmd", "tcd", "schnell"))
"""These words always mean the method; a castle may be struck by lightning."""

COINED_UTILITY = 9.0
"""Least idf mass (nats) of a trigger that requests a tool by itself."""


def tool_purpose(candidate: Candidate) -> str:
    """`slider`, `speed` or `utility`; empty for any other adapter."""
    description = candidate.entry.description
    if description.slider:
        return "slider"
    if description.speed:
        return "speed"
    return "utility" if description.utility else ""


def tool_refusal(candidate: Candidate, words: Collection[str]) -> str:
    """Why a tool may not be picked; empty for any other adapter."""
    purpose = tool_purpose(candidate)
    if not purpose or is_requested_tool(candidate, words):
        return ""
    if _REQUESTS[purpose].intersection(words):
        return f"it is a {purpose} LoRA that you did not name"
    return f"it is a {purpose} LoRA, which you did not ask for"


def is_requested_tool(candidate: Candidate, words: Collection[str]) -> bool:
    """True for a tool requested by purpose and name, by method, or by a coined trigger."""
    purpose = tool_purpose(candidate)
    if not purpose:
        return False
    requested = _REQUESTS[purpose].intersection(words)
    card, evidence = candidate.entry.card, candidate.evidence
    own = set(content_words(" ".join((card.name, *card.tags, *candidate.entry.triggers))))
    if requested & own & _UNMISTAKABLE or (requested and is_mentioned(evidence)):
        return True
    trigger = content_words(evidence.trigger)
    return (
        bool(trigger)
        and all(word in words for word in trigger)
        and evidence.rarity >= COINED_UTILITY
    )


# Matches that are narrower than the task.

KINDS_OF_THINGS = frozenset(("object", "clothing", "vehicle", "building", "animal", "background"))

FILLERS = frozenset(
    """beautiful buddy cluster collection concept cute everything fantasy height midjourney nature
    pack pretty realistic scene scenery set simple study view world""".split()
)
"""Words of names that make nothing narrower."""

MUCH_NARROWER = 2
"""Words of its name that the prompt lacks, if it shares only one word with the task."""


def misfit(candidate: Candidate, task: str, words: Collection[str]) -> str:
    """Why it is not what the task asks for."""
    entry = candidate.entry
    shared = _words((task,)) & identity(entry)
    if not shared or tool_purpose(candidate):
        return ""
    if entry.kind in KINDS_OF_THINGS and shared <= ATTRIBUTES and not _is_whole_name(entry, words):
        return f'only "{_listed(shared)}" of your prompt fits it'
    name = _name_words(entry.card.name)
    lacking = {word for word in _without_compounds(name) - FILLERS if word.isascii()}
    lacking.difference_update(words)
    missing = lacking - ATTRIBUTES
    if entry.kind == "style":
        is_asked_for = _is_whole_tag(entry, shared, words) or _is_medium(shared, missing)
        return unrequested(entry) if missing and not is_asked_for else ""
    is_single = len(identity(entry).intersection(words) - ATTRIBUTES) <= 1
    if is_single and missing and len(lacking) >= MUCH_NARROWER:
        in_order = dict.fromkeys(content_words(entry.card.name))
        return f"more specific than your prompt ({_listed(lacking, in_order)})"
    return ""


def _is_whole_name(entry: Entry, words: Collection[str]) -> bool:
    """Whether nothing is in its name that is not in the prompt: Crystal Clusters for crystals."""
    name = _name_words(entry.card.name) - FILLERS
    return bool(name) and name.issubset(words)


def _is_medium(shared: frozenset[str], missing: Collection[str]) -> bool:
    """Whether a style's name has an uncommon word of the prompt, and hardly another: embroidered
    for Embroidered Patches.
    """
    return len(missing) == 1 and any(word not in common_words() for word in shared - ATTRIBUTES)


def _without_compounds(name: frozenset[str]) -> set[str]:
    """The words of a name without those that are two others in one."""
    joined = {first + second for first in name for second in name}
    return set(name - joined)


def identity(entry: Entry) -> frozenset[str]:
    """The words of its name, tags and triggers."""
    return _name_words(entry.card.name) | _words(entry.card.tags) | _words(entry.triggers)


def _is_whole_tag(entry: Entry, shared: Collection[str], words: Collection[str]) -> bool:
    """Whether a shared word is in a tag or trigger of which the prompt has every word: a stained
    glass style does not fit a glass of wine.
    """
    pieces = (
        _words((piece,))
        for text in (*entry.card.tags, *entry.triggers)
        for piece in text.split(",")
    )
    return any(not piece.isdisjoint(shared) and piece.issubset(words) for piece in pieces)


@lru_cache(maxsize=4096)
def _name_words(name: str) -> frozenset[str]:
    return frozenset(word for phrase in name_phrases(name) for word in phrase)


@lru_cache(maxsize=8192)
def _words(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(content_words(" ".join(texts)))


def unrequested(entry: Entry) -> str:
    """Why what no part of the prompt asks for is not picked."""
    if entry.kind == "style":
        return "it would change the style, which you did not ask for"
    return "no part of your prompt asks for it"


def _listed(words: Collection[str], order: Collection[str] = ()) -> str:
    """The words, first those of `order`."""
    return " ".join(dict.fromkeys([*filter(words.__contains__, order), *sorted(words)]))


# Characters and persons. The name of a card also has the series, and the triggers have clothing:
# neither names the character. An everyday word does not either.

CHARACTERS = frozenset(("character", "person"))

_MAX_TRIGGERS = 16
_SHORTEST_STEM = 4
_BRACKETED = re.compile(r"[(\[（【]([^()\[\]（）【】]*)[)\]）】]")
_GENERIC = frozenset(
    ("anime", "character", "game", "solo", "video", "movie", "series", "female", "male")
    + ("celebrity", "actor", "actress", "breast", "bang", "blush")
)

Words = tuple[str, ...]


def names_character(candidate: Candidate, words: Collection[str]) -> bool:
    """Whether the prompt names it, by a part of the name that is no series or by its trigger."""
    entry, evidence = candidate.entry, candidate.evidence
    prompt = frozenset(words)
    if _is_named_with_series(entry, prompt):
        return True
    if not (evidence.named or evidence.trigger):
        return False
    phrases = (*entry_names(entry), *trigger_phrases(entry), tuple(content_words(evidence.trigger)))
    matched = {word for phrase in phrases if prompt.issuperset(phrase) for word in phrase}
    own = matched & own_words(entry)
    if not own:
        return _is_named_by_trigger(candidate)
    everyday = own <= COMMON | common_words().keys() and (len(own) == 1 or not evidence.named)
    return (is_mentioned(evidence) and not everyday) or _has_more(entry, own, prompt)


def _is_named_with_series(entry: Entry, prompt: frozenset[str]) -> bool:
    """Whether the prompt has a part of its name, and beside it the series."""
    known = COMMON | _GENERIC | common_words().keys()
    named = (own_words(entry) & prompt) - known
    series = (set(aside) for aside in _asides(entry))
    return bool(named) and any(
        rest <= prompt and (len(rest) > 1 or not rest <= known)
        for rest in series
        if rest and rest.isdisjoint(named)
    )


def own_words(entry: Entry) -> frozenset[str]:
    """Words of the name without its series, and of triggers that share one with it."""
    parts, pieces, asides = _name_parts(entry), _trigger_pieces(entry), _asides(entry)
    in_triggers = [part for part in parts if any(_are_related(piece, part) for piece in pieces)]
    own = (
        [part for part in in_triggers if part not in asides]
        or in_triggers
        or [part for part in parts if part not in asides][:1]
        or list(parts)
    )
    other_script = [part for part in parts if not any(word.isascii() for word in part)]
    words = {word for part in (*own, *other_script) for word in part}
    series = {word for part in parts if part not in own for word in part} - words
    related = (piece for piece in pieces if any(_are_related(piece, part) for part in own))
    return frozenset(words.union(*related) - series)


def _are_related(piece: Words, part: Words) -> bool:
    """Whether a trigger and a part of a name share a word, are the same without spaces, or the
    trigger begins with a word of the name, as in mira and mirastyle.
    """
    begins = any(
        coined.startswith(word) for word in part if len(word) >= _SHORTEST_STEM for coined in piece
    )
    return begins or not set(piece).isdisjoint(part) or "".join(piece) == "".join(part)


def _name_parts(entry: Entry) -> tuple[Words, ...]:
    """The parts of a name, without the whole of it if there are several."""
    phrases = entry_names(entry)
    every = {word for phrase in phrases for word in phrase}
    return tuple(phrase for phrase in phrases if set(phrase) != every) or phrases


def _asides(entry: Entry) -> set[Words]:
    """What is in the tags, or in brackets behind the name: usually the series."""
    texts = (*entry.card.tags, *_BRACKETED.findall(entry.card.name))
    return {tuple(content_words(text)) for text in texts}


def _trigger_pieces(entry: Entry) -> list[Words]:
    written = (
        piece.replace("\\", "")
        for trigger in entry.triggers[:_MAX_TRIGGERS]
        for piece in trigger.split(",")[:_MAX_TRIGGERS]
    )
    return [
        words
        for piece in written
        if not is_count(piece.strip()) and (words := _without_brackets(piece))
    ]


def _without_brackets(piece: str) -> Words:
    """What is in brackets is the series again, unless everything is."""
    return tuple(content_words(_BRACKETED.sub(" ", piece)) or content_words(piece))


def _is_named_by_trigger(candidate: Candidate) -> bool:
    """True if the first trigger is in the prompt, shares no word with the name, and is rare."""
    entry, evidence = candidate.entry, candidate.evidence
    pieces = _trigger_pieces(entry)
    if not pieces or pieces[0] != _without_brackets(evidence.trigger.replace("\\", "")):
        return False
    related = any(_are_related(piece, part) for piece in pieces for part in _name_parts(entry))
    least = COINED if related else DISTINCTIVE
    return (
        is_distinctive(evidence)
        and evidence.rarity >= least * len(pieces[0])
        and not (ATTRIBUTES | COMMON).issuperset(pieces[0])
    )


def _has_more(entry: Entry, own: set[str], words: Collection[str]) -> bool:
    """Whether the prompt also has the series, or a tag or trigger of more than everyday words."""
    names = [set(phrase) - own for phrase in entry_names(entry)]
    tags = (tuple(content_words(tag)) for tag in entry.card.tags)
    others = [set(phrase) - own for phrase in (*trigger_phrases(entry), *tags)]
    specific = [rest for rest in names if len(rest) > 1]
    specific += [rest for rest in (*names, *others) if not rest <= COMMON | _GENERIC]
    return any(rest <= set(words) for rest in specific if rest)
