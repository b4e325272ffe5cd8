"""From numbers to evidence: what of an entry's name and triggers the prompt has, and which spans
speak for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stylus_ext.core.card import AdapterCard, AdapterKey, series
from stylus_ext.core.composition import Candidate, Evidence, NearMiss
from stylus_ext.core.entry import Entry
from stylus_ext.core.prompt.phrases import is_count, is_quality
from stylus_ext.core.prompt.words import content_words, entry_names, name_phrases
from stylus_ext.selection.retrieve.features import Features
from stylus_ext.selection.retrieve.question import RetrievalQuery

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
    def of(cls, question: RetrievalQuery) -> Said:
        words = question.words.words
        spans = tuple(frozenset(words[at] for at in line.tolist()) for line in question.lines)
        return cls(
            frozenset(words), spans, dict(zip(words, question.words.idf.tolist(), strict=True))
        )

    def mass(self, phrase: tuple[str, ...]) -> float:
        return sum(self.idf.get(word, 0.0) for word in phrase)


def evidence(
    entry: Entry, at: int, found: Features, question: RetrievalQuery, said: Said
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


MOST_OF_ONE_NAME = 3
AS_GOOD = 0.9
"""Share of the best version's score from which another is as good: then the later one is taken."""

_FINISHED = float("inf")
_VERSION = re.compile(
    r"(?:^|[-_. ]|(?<=[a-z])(?=V))(?:v|ver|version)[-_. ]?(\d+(?:[._]\d+)*)", re.IGNORECASE
)
_EPOCH = re.compile(
    r"[-_. ](?:(?:e|ep|epoch|s|step|steps)[-_. ]?(\d+)|(\d{6}))(?=$|[-_. (])", re.IGNORECASE
)


def diverse(ranked: Iterable[Candidate]) -> tuple[list[Candidate], list[NearMiss]]:
    """One version or epoch of each model, and at most three adapters of the same name; `always`
    stays whatever it is.
    """
    listed = list(ranked)
    chosen = _chosen(listed)
    kept: list[Candidate] = []
    aside: list[NearMiss] = []
    named: dict[tuple[str, ...], int] = {}
    for candidate in listed:
        card = candidate.entry.card
        name = next(iter(name_phrases(card.name)), ())
        best = chosen.get(_model(card), candidate)
        pinned = candidate.entry.edits.state == "always"
        if best.key != candidate.key and not pinned:
            other = best.entry.card.version or best.entry.card.name
            reason = (
                f"another version of it, {other}, fits better"
                if best.score > candidate.score
                else f"a later version of it, {other}, fits as well"
            )
            aside.append(NearMiss(candidate.key, card.name, reason, candidate.score))
        elif name and named.get(name, 0) >= MOST_OF_ONE_NAME and not pinned:
            aside.append(
                NearMiss(
                    candidate.key, card.name, "better ones have the same name", candidate.score
                )
            )
        else:
            kept.append(candidate)
            named[name] = named.get(name, 0) + 1
    return kept, aside


def _chosen(ranked: list[Candidate]) -> dict[str, Candidate]:
    """Of each model what the user wants always, else the latest of those that fit as well as the
    best.
    """
    models: dict[str, list[Candidate]] = {}
    for candidate in ranked:
        model = _model(candidate.entry.card)
        if model:
            models.setdefault(model, []).append(candidate)
    return {model: _latest(versions) for model, versions in models.items()}


def _latest(versions: list[Candidate]) -> Candidate:
    best = max(versions, key=lambda candidate: candidate.score)
    equals = [
        candidate
        for candidate in versions
        if candidate.entry.family == best.entry.family and candidate.score >= AS_GOOD * best.score
    ] or [best]

    def rank(candidate: Candidate) -> tuple[bool, tuple[tuple[int, ...], float], float, AdapterKey]:
        card = candidate.entry.card
        return candidate.entry.edits.state == "always", issue(card), candidate.score, card.key

    return max(equals, key=rank)


def issue(card: AdapterCard) -> tuple[tuple[int, ...], float]:
    """Version and epoch, to compare: name_v2 comes after name, name-000008 after name-000004, and
    the finished name after both.
    """
    text = f"{card.name} {card.version}"
    versions = _VERSION.findall(text) or re.findall(r"^\s*(\d+(?:\.\d+)*)\s*$", card.version)
    epochs = [int(number or steps) for number, steps in _EPOCH.findall(text)]
    version = tuple(int(number) for number in re.split(r"[._]", versions[-1])) if versions else (1,)
    return version, float(epochs[-1]) if epochs else _FINISHED


def _model(card: AdapterCard) -> str:
    """What versions of one model have in common. Where no source knows the model, the name of the
    user's own file tells: name, name_v2 and name-000004 are epochs of one training; the same name
    from two strangers is not.
    """
    return series(card) if card.model_id is not None or card.source == "local" else ""
