"""Features of a few hundred rows for one question: what words and vectors say, for the whole prompt and for each span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylus_ext.backends.retrievers.lexical import NAME, TRIGGER, Called, LexicalIndex
from stylus_ext.backends.retrievers.postings import Floats, Ints
from stylus_ext.backends.retrievers.question import Question
from stylus_ext.backends.retrievers.segment import SATURATION
from stylus_ext.core.ports import VectorIndex

FEATURES = ("card", "best_example", "examples", "title", "text", "name", "trigger", "span", "exact")
"""The columns of `Features.values`; scores of words are divided by the root of the prompt's idf mass. `exact`: see there."""


@dataclass(frozen=True, slots=True)
class Features:
    """`coverage` (how much of a span the card's words cover, 0..1) and `closeness` (cosine) have one line a span."""

    rows: Ints
    values: Floats
    coverage: Floats
    closeness: Floats


def features(question: Question, lexical: LexicalIndex, vectors: VectorIndex, rows: Ints, called: Called) -> Features:
    words = question.words
    keys = lexical.keys_of(rows)
    impacts = lexical.card_impacts(words, rows)
    best, together = lexical.example_features(words, rows)
    asked = np.concatenate([question.vector, question.span_vectors])
    titles = vectors.cosines("title", asked, keys)
    texts = vectors.cosines("card", question.vector, keys)
    closeness = np.zeros((len(question.spans), len(rows)), dtype=np.float32)
    closeness[list(question.embedded)] = titles[1:]
    name, trigger = (_mass(called, kind, rows) for kind in (NAME, TRIGGER))
    columns = (
        impacts.sum(axis=0) / words.scale, best / words.scale, together / words.scale, titles[0], texts[0],
        np.sqrt(name), np.sqrt(trigger), closeness.max(axis=0) if len(closeness) else np.zeros(len(rows), np.float32),
        np.sqrt(_exact(question, lexical, rows, called)),
    )
    return Features(rows, np.stack(columns, axis=1).astype(np.float32), _coverage(question, impacts), closeness)


def _mass(called: Called, kind: int, rows: Ints) -> Floats:
    """How much the words of the longest name or trigger tell that stands in the text."""
    out = np.zeros(len(rows), dtype=np.float32)
    if len(rows) and len(called.rows):
        mine = (called.kinds == kind) & np.isin(called.rows, rows)
        np.maximum.at(out, np.searchsorted(rows, called.rows[mine]), called.masses[mine])
    return out


def _exact(question: Question, lexical: LexicalIndex, rows: Ints, called: Called) -> Floats:
    """How much the words tell of a span that is just a name or trigger, word for word: who writes one alone means it."""
    out = np.zeros(len(rows), dtype=np.float32)
    if not (len(rows) and len(called.rows)):
        return out
    for line in {tuple(line.tolist()): line for line in question.lines}.values():
        words = question.words.only(line)
        alone = lexical.called(words)
        whole = np.isclose(alone.masses, words.mass, rtol=1e-4) & np.isin(alone.rows, rows)
        np.maximum.at(out, np.searchsorted(rows, alone.rows[whole]), alone.masses[whole])
    return out


def _coverage(question: Question, impacts: Floats) -> Floats:
    """The share of what a span's words tell that stands in the card, strong fields counting most."""
    out = np.zeros((len(question.spans), impacts.shape[1]), dtype=np.float32)
    for number, line in enumerate(question.lines):
        mass = float(question.words.idf[line].sum()) * (1.0 + SATURATION)
        if mass:
            out[number] = impacts[line].sum(axis=0) / mass
    return out
