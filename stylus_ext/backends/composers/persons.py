"""A character's or person's adapter and the words of the prompt in, whether the prompt names that
somebody out.

The series somebody comes from is in the name too, and what somebody wears is in the triggers:
neither names anybody. A name that is an everyday word names nobody by itself either.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from stylus_ext.backends.composers.calls import COINED, DISTINCTIVE, is_called, is_distinctive
from stylus_ext.backends.composers.everyday import ATTRIBUTES, COMMON
from stylus_ext.core.candidates import Candidate
from stylus_ext.core.description import Entry
from stylus_ext.core.prompt.calling import entry_names, trigger_phrases
from stylus_ext.core.prompt.stock import is_count
from stylus_ext.core.prompt.words import content_words

SOMEBODY = frozenset(("character", "person"))

_MOST_TRIGGERS = 16
_SHORTEST_BEGINNING = 4
_BRACKETED = re.compile(r"[(\[（【]([^()\[\]（）【】]*)[)\]）】]")
_GENERIC = frozenset(
    "anime character game solo video movie series female male celebrity actor actress breast bang"
    " blush".split()
)


def is_named(candidate: Candidate, said: Collection[str]) -> bool:
    """By a part of its name that is no series, or by the trigger that says who it is. `said` are
    the words of the prompt.
    """
    entry, seen = candidate.entry, candidate.evidence
    if not (seen.named or seen.trigger):
        return False
    words = frozenset(said)
    phrases = (*entry_names(entry), *trigger_phrases(entry), tuple(content_words(seen.trigger)))
    matched = {word for phrase in phrases if words.issuperset(phrase) for word in phrase}
    told = matched & own_words(entry)
    if not told:
        return _is_tagged(candidate)
    everyday = len(matched) == 1 and told <= COMMON
    return (is_called(seen) and not everyday) or _has_more(entry, told, words)


def own_words(entry: Entry) -> frozenset[str]:
    """The words that are somebody's own: of the name without its series, and of the triggers that
    have a word of that.
    """
    parts, pieces, asides = _parts(entry), _trigger_pieces(entry), _asides(entry)
    spoken = [part for part in parts if any(_share(piece, part) for piece in pieces)]
    mine = (
        [part for part in spoken if part not in asides]
        or spoken
        or [part for part in parts if part not in asides][:1]
        or list(parts)
    )
    foreign = [
        part for part in parts if not any(word.isascii() for word in part)
    ]  # the same name in another script
    words = {word for part in (*mine, *foreign) for word in part}
    series = {word for part in parts if part not in mine for word in part} - words
    return frozenset(
        words.union(*(piece for piece in pieces if any(_share(piece, part) for part in mine)))
        - series
    )


def _share(piece: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """They have a word in common, or are one but for the spaces, or a coined word begins with one
    of the name: mira, mirastyle.
    """
    begun = any(
        coined.startswith(word)
        for word in part
        if len(word) >= _SHORTEST_BEGINNING
        for coined in piece
    )
    return begun or not set(piece).isdisjoint(part) or "".join(piece) == "".join(part)


def _parts(entry: Entry) -> tuple[tuple[str, ...], ...]:
    """Of the name; not the whole of it, where it has several."""
    phrases = entry_names(entry)
    every = {word for phrase in phrases for word in phrase}
    return tuple(phrase for phrase in phrases if set(phrase) != every) or phrases


def _asides(entry: Entry) -> set[tuple[str, ...]]:
    """What stands in the tags too, or in brackets behind the name."""
    texts = (*entry.card.tags, *_BRACKETED.findall(entry.card.name))
    return {tuple(content_words(text)) for text in texts}


def _trigger_pieces(entry: Entry) -> list[tuple[str, ...]]:
    written = (
        piece.replace("\\", "")
        for trigger in entry.triggers[:_MOST_TRIGGERS]
        for piece in trigger.split(",")[:_MOST_TRIGGERS]
    )
    return [words for piece in written if not is_count(piece.strip()) and (words := _bare(piece))]


def _bare(piece: str) -> tuple[str, ...]:
    """What stands in brackets is the series again, unless all does."""
    return tuple(content_words(_BRACKETED.sub(" ", piece)) or content_words(piece))


def _is_tagged(candidate: Candidate) -> bool:
    """By its first trigger, though that has nothing to do with the name, if it is coined, or rare
    and no other has to do with it.
    """
    entry, seen = candidate.entry, candidate.evidence
    pieces = _trigger_pieces(entry)
    if not pieces or pieces[0] != _bare(seen.trigger.replace("\\", "")):
        return False
    named = any(_share(piece, part) for piece in pieces for part in _parts(entry))
    least = COINED if named else DISTINCTIVE
    return (
        is_distinctive(seen)
        and seen.telling >= least * len(pieces[0])
        and not (ATTRIBUTES | COMMON).issuperset(pieces[0])
    )


def _has_more(entry: Entry, told: set[str], said: Collection[str]) -> bool:
    """Something else of the card stands in the prompt: its series, or a tag or trigger that is more
    than everyday words.
    """
    series = [set(phrase) - told for phrase in entry_names(entry)]
    others = [
        set(phrase) - told
        for phrase in (
            *trigger_phrases(entry),
            *(tuple(content_words(tag)) for tag in entry.card.tags),
        )
    ]
    pieces = [rest for rest in series if len(rest) > 1] + [
        rest for rest in (*series, *others) if not rest <= COMMON | _GENERIC
    ]
    return any(rest <= set(said) for rest in pieces if rest)
