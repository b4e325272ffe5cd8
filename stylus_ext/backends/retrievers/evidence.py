"""From numbers to evidence: what of an entry's name and triggers the prompt has, and which spans
speak for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from stylus_ext.backends.retrievers.features import Features
from stylus_ext.backends.retrievers.question import Question
from stylus_ext.core.candidates import Evidence
from stylus_ext.core.description import Entry
from stylus_ext.core.prompt.calling import entry_names
from stylus_ext.core.prompt.stock import is_count, is_quality
from stylus_ext.core.prompt.words import content_words

CLOSE = 0.3
"""Cosines below this say nothing about a short text."""

COVERED = 0.1


@dataclass(frozen=True, slots=True)
class Said:
    """The words of the prompt and of each of its spans."""

    words: frozenset[str]
    spans: tuple[frozenset[str], ...]
    idf: dict[str, float]

    @classmethod
    def of(cls, question: Question) -> Said:
        words = question.words.words
        spans = tuple(frozenset(words[at] for at in line.tolist()) for line in question.lines)
        return cls(
            frozenset(words), spans, dict(zip(words, question.words.idf.tolist(), strict=True))
        )

    def mass(self, phrase: tuple[str, ...]) -> float:
        return sum(self.idf.get(word, 0.0) for word in phrase)


def evidence(
    entry: Entry, at: int, found: Features, question: Question, said: Said
) -> tuple[Evidence, dict[int, Evidence]]:
    """For the whole prompt, and for each task of which it says something, by the task's start."""
    names, triggers = (
        _called(entry, said) if found.values[at, 5] or found.values[at, 6] else ([], [])
    )
    whole = _one(found.values[at, 0], found.values[at, 3], names, triggers, said)
    spans: dict[int, Evidence] = {}
    coverage, closeness = found.coverage[:, at].tolist(), found.closeness[:, at].tolist()
    for number in question.tasks:
        span = question.spans[number]
        if coverage[number] <= COVERED and closeness[number] <= CLOSE:
            continue
        words = said.spans[number]
        spans[span.start] = _one(
            coverage[number],
            closeness[number],
            [phrase for phrase in names if words.intersection(phrase)],
            [trigger for trigger in triggers if words.intersection(trigger[1])],
            said,
        )
    return whole, spans


def _one(
    lexical: float,
    cosine: float,
    names: list[tuple[str, ...]],
    triggers: list[tuple[str, tuple[str, ...]]],
    said: Said,
) -> Evidence:
    if not names and not triggers:
        return Evidence(round(float(lexical), 4), round(float(cosine), 4))
    name = max(names, key=lambda phrase: (said.mass(phrase), phrase), default=())
    trigger = max(triggers, key=lambda found: (said.mass(found[1]), found[0]), default=("", ()))
    telling = max(said.mass(name), said.mass(trigger[1]))
    return Evidence(
        round(float(lexical), 4), round(float(cosine), 4), name, trigger[0], round(telling, 3)
    )


def _is_stock(piece: str) -> bool:
    """1girl and masterpiece call nobody, whoever has them among the trigger words."""
    return is_count(piece) or is_quality(piece)


def _called(
    entry: Entry, said: Said
) -> tuple[list[tuple[str, ...]], list[tuple[str, tuple[str, ...]]]]:
    """The names, and the triggers as written with their words, of which every word stands in the
    prompt.
    """
    names = [phrase for phrase in entry_names(entry) if said.words.issuperset(phrase)]
    pieces = (piece.strip() for trigger in entry.triggers for piece in trigger.split(","))
    triggers = [(piece, tuple(content_words(piece))) for piece in pieces]
    present = [
        (piece, words)
        for piece, words in triggers
        if words and said.words.issuperset(words) and not _is_stock(piece)
    ]
    # Who it is comes before what is worn: the first trigger, or one with a word of the name, is the
    # one that is told.
    own = set(content_words(entry.card.name))
    naming = [
        trigger for trigger in present if trigger == triggers[0] or own.intersection(trigger[1])
    ]
    return names, naming or present
