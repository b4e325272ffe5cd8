"""How sure it is that a candidate is meant, and that anything fits at all: a logistic function of a few features.

Fitted to the development half of the benchmark: does a person, or the paper's composer, use this adapter for this prompt?
One line for tag prompts, one for captions; two-fold by model page, the AUC stays within .03. The offsets are moved so that
0.5 is the surety above which 5 % of prompts for which nothing fits would get a pick: captions told by words, and tag
prompts of people who used no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylus_ext.backends.retrievers.features import FEATURES, Features
from stylus_ext.backends.retrievers.postings import Floats
from stylus_ext.backends.retrievers.question import Question
from stylus_ext.core.candidates import Candidate

SIGNS = (
    "score", "lead", "card", "best_example", "title", "name", "trigger", "exact", "spans", "covered", "close", "both",
)
"""The columns of `signs`; `lead` is the score above that of the tenth, `spans` how many there are, as a logarithm."""

TAG_LINE = np.array([0.45, 0.28, 0.48, -0.78, -2.34, -0.34, 0.03, -0.24, 0.33, -2.32, -2.25, 3.78], dtype=np.float32)
TAG_OFFSET = -1.8
CAPTION_LINE = np.array([0.09, 0.68, 0.04, -0.21, -0.85, -0.69, -0.13, -0.02, 0.46, -0.75, 1.99, 3.08], dtype=np.float32)
CAPTION_OFFSET = -3.83
PENNED = -1.1
"""Added for a caption with commas or brackets: whoever writes so knows LoRAs and mentions them by name. Set by hand."""

LEAD_OVER = 10

COINED = 6.6
SURE_OF_COINED = 0.6
"""A span that is nothing but a name or trigger of so rare words is meant, whatever else is known of the adapter: a file from
a folder has no examples and often no text. Not in plain sentences, where nobody writes one. Set by hand, since the
benchmark's adapters have both."""


def signs(found: Features, scores: Floats) -> Floats:
    """What the surety of each row is made of."""
    if not len(scores):
        return np.zeros((0, len(SIGNS)), dtype=np.float32)
    ahead = min(LEAD_OVER, len(scores))
    tenth = np.partition(scores, len(scores) - ahead)[len(scores) - ahead]
    values = found.values
    nothing = np.zeros(len(scores), dtype=np.float32)
    spans = bool(len(found.coverage))
    columns = (
        scores, scores - tenth, values[:, 0], values[:, 1], values[:, 3], values[:, 5], values[:, 6],
        values[:, 8], np.full(len(scores), np.log1p(len(found.coverage)), dtype=np.float32),
        found.coverage.max(axis=0) if spans else nothing,
        found.closeness.max(axis=0) if spans else nothing,
        (found.coverage * found.closeness).max(axis=0) if spans else nothing,
    )
    stacked: Floats = np.stack(columns, axis=1).astype(np.float32)
    return stacked


def sureties(found: Features, scores: Floats, asked: Question) -> Floats:
    line, offset = (TAG_LINE, TAG_OFFSET) if asked.is_tags else (CAPTION_LINE, CAPTION_OFFSET)
    offset += PENNED if asked.penned and not asked.is_tags else 0.0
    sure: Floats = (1.0 / (1.0 + np.exp(-(signs(found, scores) @ line + offset)))).astype(np.float32)
    if not (asked.is_tags or asked.penned):
        return sure
    coined = found.values[:, FEATURES.index("exact")] ** 2 >= COINED
    return np.where(coined, np.maximum(sure, SURE_OF_COINED), sure).astype(np.float32)


def confidence(candidates: Sequence[Candidate]) -> float:
    return max((candidate.evidence.sure for candidate in candidates), default=0.0)
