"""What the spans of a prompt say of each row, and what a row's values are beside those of the
others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylus_ext.backends.retrievers.postings import Floats

SPAN_SIGNS = (
    "covered",
    "covered_all",
    "both",
    "close_second",
    "close_third",
    "meant",
    "title_lead",
    "text_lead",
    "alike",
    "alike_covered",
)
AHEAD = 10


def of_spans(
    coverage: Floats, closeness: Floats, meaning: Floats, embedded: Sequence[int]
) -> tuple[Floats, ...]:
    """One array a sign of `SPAN_SIGNS`; each argument has one line a span and one column a row.

    `closeness` is the cosine with the title, `meaning` that with the whole card; the leads are over
    the tenth for the same span, which tells a span that many things are near to from one that has
    its own adapter.
    """
    spans, rows = coverage.shape
    if not spans:
        return tuple(np.zeros(rows, dtype=np.float32) for _ in SPAN_SIGNS)
    alike = (closeness + meaning) / 2
    best = (
        -np.sort(-closeness[list(embedded)], axis=0)[:3]
        if len(embedded)
        else np.zeros((1, rows), dtype=np.float32)
    )
    return (
        coverage.max(axis=0),
        coverage.sum(axis=0) / np.sqrt(np.float32(spans)),
        (coverage * closeness).max(axis=0),
        best[1] if len(best) > 1 else np.zeros(rows, dtype=np.float32),
        best.mean(axis=0),
        meaning.max(axis=0),
        (closeness - _tenth(closeness)).max(axis=0),
        (meaning - _tenth(meaning)).max(axis=0),
        alike.max(axis=0),
        (alike * (0.5 + coverage)).max(axis=0),
    )


def _tenth(values: Floats) -> Floats:
    """Line by line the tenth best."""
    ahead = min(AHEAD, values.shape[1])
    if not ahead:
        return np.zeros((len(values), 1), dtype=np.float32)
    place = values.shape[1] - ahead
    found: Floats = np.partition(values, place, axis=1)[:, place : place + 1]
    return found


def compared(values: Floats) -> Floats:
    """How far each value lies below the highest of its column."""
    return values - values.max(axis=0) if len(values) else values
