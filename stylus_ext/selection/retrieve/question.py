"""A query as the retriever asks it: its text, its words and what they tell here, its spans, and the
vectors of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.ports import Embedder, Matrix, Query
from stylus_ext.core.prompt import tokens as kinds
from stylus_ext.core.prompt.phrases import Span, phrases, pieces, spans
from stylus_ext.core.prompt.words import content_words
from stylus_ext.selection.lexical.index import LexicalIndex, QueryWords
from stylus_ext.selection.ranker import cutter

MOST_EMBEDDED_SPANS = 12
"""Encoding is the dearest part of a plan: of a long tag prompt only the spans that tell most get a
vector.
"""

MOST_EMBEDDED_TASKS = 6
"""Of the tasks that are no spans already."""

_PENNED = frozenset((kinds.COMMA, kinds.ROUND_OPEN, kinds.SQUARE_OPEN, kinds.BRACE_OPEN))

LONGEST = 4_000
"""Characters of a prompt that are looked at; a model sees far fewer."""


_USUAL = (
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
_KNOWN: dict[tuple[str, int], Matrix] = {}


@dataclass(frozen=True, slots=True)
class RetrievalQuery:
    """`lines[i]` says which words of `words` make span `i`; `span_vectors` belongs to the spans
    numbered in `embedded`.

    The first `weighed` spans are those that the rules find: the ranker learnt from them. `tasks`
    numbers those that an adapter may serve, which in captions are partly others.

    `usual` is the middle of prompts that ask for nothing in particular: what is near to it is near
    to everything.
    """

    is_tags: bool
    penned: bool  # with commas or brackets, as prompts have them and sentences seldom do
    words: QueryWords
    spans: tuple[Span, ...]
    lines: tuple[NDArray[np.int64], ...]
    vector: Matrix
    span_vectors: Matrix
    embedded: tuple[int, ...]
    usual: Matrix
    weighed: int
    tasks: tuple[int, ...]

    @property
    def weighed_embedded(self) -> tuple[int, ...]:
        return tuple(number for number in self.embedded if number < self.weighed)


def question(query: Query, index: LexicalIndex, embedder: Embedder) -> RetrievalQuery:
    prompt = query.prompt
    said = ", ".join(phrase.text for phrase in phrases(prompt))[:LONGEST]
    content = ", ".join(piece.text for piece in pieces(prompt))[:LONGEST] or said
    weighed = index.weigh(content_words(said))
    place = {word: at for at, word in enumerate(weighed.words)}
    rough, tasks = spans(prompt), spans(prompt, cutter())
    found = tuple(dict.fromkeys((*rough, *tasks)))
    lines = tuple(
        np.array(
            [place[word] for word in dict.fromkeys(content_words(span.text)) if word in place],
            dtype=np.int64,
        )
        for span in found
    )
    chosen = _telling(found, lines, weighed, range(len(rough)), MOST_EMBEDDED_SPANS)
    chosen += _telling(found, lines, weighed, range(len(rough), len(found)), MOST_EMBEDDED_TASKS)
    vector = embedder.embed([content])
    several = (
        embedder.embed([found[number].text for number in chosen])
        if chosen
        else np.zeros_like(vector[:0])
    )
    penned = any(token.kind in _PENNED for token in prompt.tokens)
    usual, numbers = (
        _usual(embedder, vector.shape[1]),
        {span: number for number, span in enumerate(found)},
    )
    return RetrievalQuery(
        prompt.is_tags,
        penned,
        weighed,
        found,
        lines,
        vector,
        several,
        chosen,
        usual,
        len(rough),
        tuple(numbers[task] for task in tasks),
    )


def _telling(
    found: Sequence[Span],
    lines: Sequence[NDArray[np.int64]],
    weighed: QueryWords,
    among: range,
    most: int,
) -> tuple[int, ...]:
    """The spans that get a vector: each text once, those with the rarest words first, in the order
    of the prompt.
    """
    first: dict[str, int] = {}
    for number in among:
        first.setdefault(found[number].text, number)
    ranked = sorted(
        first.values(), key=lambda number: (-float(weighed.idf[lines[number]].sum()), number)
    )
    return tuple(sorted(ranked[:most]))


def _usual(embedder: Embedder, length_of_vectors: int) -> Matrix:
    """Found once an encoder and length, since a server may change what stands behind a name; at
    worst two threads find the same. Nothing is kept from an encoder that does not answer.
    """
    known = embedder.name, length_of_vectors
    if known in _KNOWN:
        return _KNOWN[known]
    middle = embedder.embed(_USUAL).mean(axis=0, keepdims=True)
    length = float(np.linalg.norm(middle))
    found: Matrix = (middle / (length or 1.0)).astype(np.float32)
    if length:
        _KNOWN[known] = found
    return found
