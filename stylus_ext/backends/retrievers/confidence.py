"""How sure it is that a candidate is meant, and that anything fits at all: a logistic function of a few features.

Fitted to the development half of the benchmark: does a person, or the paper's composer, use this adapter for this prompt?
One line for tag prompts, one for captions; two-fold by model page, the AUC stays within .03. The offsets are moved so that
0.5 is the surety above which 5 % of prompts for which nothing fits would get a pick: captions told by words, and tag
prompts of people who used no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylus_ext.backends.retrievers.features import Features
from stylus_ext.backends.retrievers.postings import Floats
from stylus_ext.core.candidates import Candidate

SIGNS = ("score", "lead", "card", "best_example", "title", "name", "trigger", "covered", "close", "both")
"""The columns of `signs`; `lead` is the score above that of the tenth."""

TAG_LINE = np.array([1.31, 0.27, 0.11, -1.87, -2.19, -1.16, -0.42, -1.69, -1.82, 2.78], dtype=np.float32)
TAG_OFFSET = -2.03
CAPTION_LINE = np.array([0.11, 0.72, -0.06, -0.07, -0.68, -0.73, -0.1, -0.63, 2.25, 2.98], dtype=np.float32)
CAPTION_OFFSET = -3.4

LEAD_OVER = 10


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
        found.coverage.max(axis=0) if spans else nothing,
        found.closeness.max(axis=0) if spans else nothing,
        (found.coverage * found.closeness).max(axis=0) if spans else nothing,
    )
    stacked: Floats = np.stack(columns, axis=1).astype(np.float32)
    return stacked


def sureties(found: Features, scores: Floats, is_tags: bool) -> Floats:
    line, offset = (TAG_LINE, TAG_OFFSET) if is_tags else (CAPTION_LINE, CAPTION_OFFSET)
    sure: Floats = (1.0 / (1.0 + np.exp(-(signs(found, scores) @ line + offset)))).astype(np.float32)
    return sure


def confidence(candidates: Sequence[Candidate]) -> float:
    return max((candidate.evidence.sure for candidate in candidates), default=0.0)
