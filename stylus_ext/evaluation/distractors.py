"""How a threshold behaves when the catalogue grows tenfold.

The catalogue is divided into tenths, thirds and not at all. Each prompt is asked once per size:
where its adapter is or, if nothing fits, in a part chosen by its text. Only the confidence is
measured, with the present weights and without a composer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.composition import Candidate
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.core.prompt.phrases import EVEN, tag_likeness
from stylus_ext.core.settings import Selection
from stylus_ext.evaluation.measuring import opened
from stylus_ext.evaluation.out_of_fold import DEPTH, FOR_NOTHING
from stylus_ext.evaluation.ranker import part_of
from stylus_ext.evaluation.selection import cards, fill, id_of, kind_of, query_of, read_queries
from stylus_ext.selection.ranker import FEWEST, RISE, ranker

Doubles = NDArray[np.float64]

PARTS = (10, 3, 1)
MEANT = {"captions": "stylus-choice", "tags": "named"}
NOWHERE = -100.0
LET_THROUGH = 0.05
"""The share of prompts for which nothing fits that pass at the smallest size."""


@dataclass(frozen=True, slots=True)
class LinePosition:
    """The position on the confidence line of a prompt's right, else best, adapter."""

    regime: str
    nothing: bool
    line: float


def run_distractors(
    catalogue: Path, queries: Sequence[Path], progress: Progress, every: int = 1
) -> dict[str, Any]:
    """Measure every n-th prompt of each kind."""
    known = list(cards(catalogue))
    records = list(_sample(read_queries(queries), every))
    sizes = []
    for parts in PARTS:
        places = [
            place
            for part in range(parts)
            for place in _places(known, records, (part, parts), progress)
        ]
        sizes.append((len(known) // parts, places))
    return {"sizes": list(_rows(sizes))}


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    names = ("fixed", "moving", "above")
    yield f"{'adapters':>8}  " + "".join(
        f"{regime + ' ' + name:>17}" for regime in MEANT for name in names
    )
    for row in report["sizes"]:
        yield f"{row['adapters']:8}  " + "".join(
            f"{row[regime][name]:17.3f}" for regime in MEANT for name in names
        )


def _sample(records: Sequence[Mapping[str, Any]], every: int) -> Iterator[Mapping[str, Any]]:
    for kind in (*(kind for kinds in FOR_NOTHING.values() for kind in kinds), *MEANT.values()):
        yield from islice((record for record in records if kind_of(record) == kind), 0, None, every)


def _places(
    known: Sequence[AdapterCard],
    records: Sequence[Mapping[str, Any]],
    part: tuple[int, int],
    progress: Progress,
) -> Iterator[LinePosition]:
    number, parts = part
    mine = [card for card in known if part_of(id_of(card.key), parts) == number]
    ids = {id_of(card.key) for card in mine}
    with opened() as stylus:
        fill(stylus, mine, progress)
        retriever, limits = stylus.planner.retriever("hybrid"), Selection(candidates=DEPTH)
        for at, record in enumerate(records):
            progress.report(f"asking {len(mine)} adapters", at, len(records))
            gold = record["gold"][0]["id"] if record["gold"] else ""
            if gold in ids or (not gold and part_of(record["prompt"], parts) == number):
                query = query_of(record, limits)
                is_tags = tag_likeness(query.prompt) >= EVEN
                yield from _place(record, is_tags, retriever.find(query).found)


def _place(
    record: Mapping[str, Any], is_tags: bool, found: Sequence[Candidate]
) -> Iterator[LinePosition]:
    """The position; none if the prompt's regime is not its kind's."""
    regime = "tags" if is_tags else "captions"
    gold = record["gold"][0]["id"] if record["gold"] else ""
    chosen = [candidate.features for candidate in found if not gold or id_of(candidate.key) == gold]
    if kind_of(record) in (*FOR_NOTHING[regime], MEANT[regime]):
        features = np.array(chosen, dtype=np.float32)
        line = float(ranker().line(features).max()) if chosen else NOWHERE
        yield LinePosition(regime, not gold, line)


def _rows(sizes: Sequence[tuple[int, Sequence[LinePosition]]]) -> Iterator[dict[str, Any]]:
    """Compare a threshold fixed at the first size with one that moves like the product's."""
    fixed = {}
    for regime in MEANT:
        nothing, meant = _lines(sizes[0][1], regime)
        if not (len(nothing) and len(meant)):
            raise InvalidInput(
                f"There are no {regime} with a right adapter, or none for which nothing fits: both"
                " are needed."
            )
        fixed[regime] = float(np.quantile(nothing, 1 - LET_THROUGH))
    for number, places in sizes:
        further = RISE * log10(max(number, FEWEST) / max(sizes[0][0], FEWEST))
        row: dict[str, Any] = {"adapters": number}
        for regime, threshold in fixed.items():
            nothing, meant = _lines(places, regime)
            shares = {
                "fixed": nothing > threshold,
                "moving": nothing > threshold + further,
                "above": meant > threshold + further,
            }
            row[regime] = {name: round(float(share.mean()), 4) for name, share in shares.items()}
        yield row


def _lines(places: Sequence[LinePosition], regime: str) -> tuple[Doubles, Doubles]:
    """Positions of prompts without and with a fitting adapter."""
    nothing, meant = (
        np.array([at.line for at in places if at.regime == regime and at.nothing is is_nothing])
        for is_nothing in (True, False)
    )
    return nothing, meant
