"""Words, spans and vectors of a prompt, and the evidence that an entry fits them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.composition import Evidence
from stylus_ext.core.entry import Entry
from stylus_ext.core.ports import Embedder, Matrix, Query
from stylus_ext.core.prompt.phrases import (
    EVEN,
    Span,
    is_count,
    is_quality,
    phrases,
    pieces,
    spans,
    tag_likeness,
)
from stylus_ext.core.prompt.segmenter import Segmenter, segmenter_of
from stylus_ext.core.prompt.words import content_words, entry_names, spellings
from stylus_ext.selection.lexical.index import LexicalIndex, QueryWords

MAX_EMBEDDED_SPANS = 12
"""Embedding takes most of a plan's time: of a long prompt only the rarest spans are embedded."""

MAX_EMBEDDED_TASKS = 6
"""Of the tasks that are not among the spans."""

MAX_CHARACTERS = 4_000
"""A model reads far fewer."""

_GENERIC_PROMPTS = (
    "a man standing in a room",
    "a dog sitting on the grass",
    "a plate of food on a table",
    "people walking down a city street",
    "a woman holding an umbrella",
    "a bus parked on the side of the road",
    "1girl, solo, long hair, looking at viewer, smile",
    "a bathroom with a sink and a mirror",
    "masterpiece, best quality, 1girl, dress, outdoors",
    "a group of people playing a game in a field",
    "two birds on a branch",
    "portrait of a young woman, detailed face",
)
_generic_vectors: dict[tuple[str, int], Matrix] = {}

_SEGMENTER = Path(__file__).resolve().parents[2] / "data" / "caption_segmenter.json"


@cache
def caption_segmenter() -> Segmenter:
    return segmenter_of(json.loads(_SEGMENTER.read_text("utf-8")))


@dataclass(frozen=True, slots=True)
class RetrievalQuery:
    """`span_words[i]` index `words`; `span_vectors` belong to the spans in `embedded`."""

    tag_likeness: float
    words: QueryWords
    order: tuple[NDArray[np.int64], ...]
    """The words of each phrase, as they follow each other."""
    spans: tuple[Span, ...]
    span_words: tuple[NDArray[np.int64], ...]
    span_names: tuple[tuple[NDArray[np.int64], ...], ...]
    """By span the sets of words that are the whole of it: as written, and as one word."""
    vector: Matrix
    span_vectors: Matrix
    embedded: tuple[int, ...]
    generic: Matrix
    """Mean vector of prompts that ask for nothing in particular; what is near it is near to
    everything."""
    ranked_spans: int
    """The spans before this number were found by rules; the ranker was trained on those alone."""
    tasks: tuple[int, ...]
    """Numbers of the spans that an adapter could serve."""

    @property
    def is_tags(self) -> bool:
        return self.tag_likeness >= EVEN

    @property
    def ranked_embedded(self) -> tuple[int, ...]:
        return tuple(number for number in self.embedded if number < self.ranked_spans)


def retrieval_query(query: Query, index: LexicalIndex, embedder: Embedder) -> RetrievalQuery:
    prompt = query.prompt
    written = [piece.text for piece in pieces(prompt) or phrases(prompt)]
    content = ", ".join(written)[:MAX_CHARACTERS]
    lines = [index.words_of(text) for text in content.split(", ")]
    words = index.weigh([word for line in lines for word in line])
    places = {word: place for place, word in enumerate(words.words)}
    rule_spans, task_spans = spans(prompt), spans(prompt, caption_segmenter())
    numbers = {
        span: number for number, span in enumerate(dict.fromkeys((*rule_spans, *task_spans)))
    }
    found = tuple(numbers)
    span_words = tuple(
        np.array(
            [places[word] for word in dict.fromkeys(index.words_of(span.text)) if word in places],
            dtype=np.int64,
        )
        for span in found
    )
    weights = [float(words.idf[line].sum()) for line in span_words]
    rule_count = len(rule_spans)
    embedded = _rarest(found, weights, range(rule_count), MAX_EMBEDDED_SPANS)
    embedded += _rarest(found, weights, range(rule_count, len(found)), MAX_EMBEDDED_TASKS)
    vector = embedder.embed([content])
    return RetrievalQuery(
        tag_likeness=tag_likeness(prompt),
        words=words,
        order=tuple(np.array([places[word] for word in line], dtype=np.int64) for line in lines),
        spans=found,
        span_words=span_words,
        span_names=tuple(_whole_names(span.text, places) for span in found),
        vector=vector,
        span_vectors=(
            embedder.embed([found[number].text for number in embedded])
            if embedded
            else np.zeros_like(vector[:0])
        ),
        embedded=embedded,
        generic=_generic_vector(embedder, vector.shape[1]),
        ranked_spans=rule_count,
        tasks=tuple(numbers[task] for task in task_spans),
    )


def _whole_names(text: str, places: Mapping[str, int]) -> tuple[NDArray[np.int64], ...]:
    written = [word for word in dict.fromkeys(content_words(text)) if word in places]
    joined = "".join(written)
    names = [written, [joined]] if len(written) > 1 and joined in places else [written]
    return tuple(np.array([places[word] for word in name], dtype=np.int64) for name in names)


def _rarest(
    found: Sequence[Span], weights: Sequence[float], among: range, most: int
) -> tuple[int, ...]:
    """Numbers of the spans with the rarest words, each text once, in the order of the prompt."""
    first: dict[str, int] = {}
    for number in among:
        first.setdefault(found[number].text, number)
    ranked = sorted(first.values(), key=lambda number: (-weights[number], number))
    return tuple(sorted(ranked[:most]))


def _generic_vector(embedder: Embedder, dimensions: int) -> Matrix:
    """Kept by encoder and dimensions, since a server may change the model behind a name.

    Nothing is kept if the encoder does not answer.
    """
    key = embedder.name, dimensions
    if key in _generic_vectors:
        return _generic_vectors[key]
    mean = embedder.embed(_GENERIC_PROMPTS).mean(axis=0, keepdims=True)
    length = float(np.linalg.norm(mean))
    unit: Matrix = (mean / (length or 1.0)).astype(np.float32)
    if length:
        _generic_vectors[key] = unit
    return unit


MIN_COSINE = 0.3
"""Lower cosines say nothing about a short text."""

MIN_COVERAGE = 0.1

Words = tuple[str, ...]
Trigger = tuple[str, Words]
"""A trigger as written, and its words."""


@dataclass(frozen=True, slots=True)
class EvidenceFinder:
    """Finds the names and triggers of entries in one prompt and in each of its spans."""

    query: RetrievalQuery
    words: frozenset[str]
    spans: tuple[frozenset[str], ...]
    idf: dict[str, float]

    @classmethod
    def of(cls, query: RetrievalQuery) -> EvidenceFinder:
        words = query.words.words
        spans = tuple(frozenset(words[at] for at in line.tolist()) for line in query.span_words)
        idf = dict(zip(words, query.words.idf.tolist(), strict=True))
        return cls(query, frozenset(words), spans, idf)

    def evidence(
        self,
        entry: Entry,
        scores: tuple[float, float],
        coverage: Sequence[float],
        closeness: Sequence[float],
        is_named: bool,
    ) -> tuple[Evidence, dict[int, Evidence]]:
        """For the whole prompt, and by its start for each task that the entry has to do with.

        `scores` are the lexical score and the cosine of the whole prompt, `coverage` and
        `closeness` those of each span.
        """
        names, triggers = self._matches(entry) if is_named else ([], [])
        by_task: dict[int, Evidence] = {}
        for number in self.query.tasks:
            if coverage[number] <= MIN_COVERAGE and closeness[number] <= MIN_COSINE:
                continue
            words = self.spans[number]
            by_task[self.query.spans[number].start] = self._evidence(
                (coverage[number], closeness[number]),
                [name for name in names if words.intersection(name)],
                [trigger for trigger in triggers if words.intersection(trigger[1])],
            )
        return self._evidence(scores, names, triggers), by_task

    def _evidence(
        self, scores: tuple[float, float], names: list[Words], triggers: list[Trigger]
    ) -> Evidence:
        lexical, cosine = (round(float(score), 4) for score in scores)
        if not names and not triggers:
            return Evidence(lexical, cosine)
        name = max(names, key=lambda words: (self._mass(words), words), default=())
        trigger = max(
            triggers, key=lambda found: (self._mass(found[1]), found[0]), default=("", ())
        )
        rarity = max(self._mass(name), self._mass(trigger[1]))
        return Evidence(lexical, cosine, name, trigger[0], round(rarity, 3))

    def _mass(self, words: Words) -> float:
        return sum(self.idf.get(word, 0.0) for word in words)

    def _matches(self, entry: Entry) -> tuple[list[Words], list[Trigger]]:
        """The names and triggers of an entry whose words are all in the prompt."""
        names = [name for name in entry_names(entry) if self.words.issuperset(name)]
        written = (piece.strip() for trigger in entry.triggers for piece in trigger.split(","))
        triggers = [(piece, words) for piece in written for words in spellings(piece)]
        present = [
            (piece, words)
            for piece, words in triggers
            if self.words.issuperset(words) and not (is_count(piece) or is_quality(piece))
        ]
        # Identity comes before clothing: the first trigger, or one with a word of the name.
        own = set(content_words(entry.card.name))
        identifying = [
            trigger for trigger in present if trigger == triggers[0] or own.intersection(trigger[1])
        ]
        return names, identifying or present
