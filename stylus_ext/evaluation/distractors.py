"""How a threshold behaves when the catalogue grows tenfold.

The catalogue is divided into tenths, thirds and not at all. Each prompt is asked once per size:
where its adapter is or, if nothing fits, in a part chosen by its text. Only the confidence is
measured, with the present weights and without a composer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log10
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.composition import Candidate
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Progress
from stylus_ext.core.settings import Selection, Settings
from stylus_ext.engine.stylus import open_stylus
from stylus_ext.evaluation.out_of_fold import DEPTH, FOR_NOTHING
from stylus_ext.evaluation.ranker import part_of
from stylus_ext.evaluation.selection import cards, fill, id_of, kind_of, query_of, read_queries
from stylus_ext.selection.ranker import FEWEST, RISE, ranker

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
    known, asked = list(cards(catalogue)), list(_sample(read_queries(queries), every))
    sizes = []
    for parts in PARTS:
        places = [
            place
            for part in range(parts)
            for place in _places(known, asked, (part, parts), progress)
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
    asked: Sequence[Mapping[str, Any]],
    part: tuple[int, int],
    progress: Progress,
) -> Iterator[LinePosition]:
    number, parts = part
    mine = [card for card in known if part_of(id_of(card.key), parts) == number]
    ids = {id_of(card.key) for card in mine}
    with tempfile.TemporaryDirectory(prefix="stylus-bench-") as folder:
        stylus = open_stylus(Path(folder), Settings())
        try:
            fill(stylus, mine, progress)
            retriever, limits = stylus.planner.retriever("hybrid"), Selection(candidates=DEPTH)
            for at, record in enumerate(asked):
                progress.report(f"asking {len(mine)} adapters", at, len(asked))
                gold = record["gold"][0]["id"] if record["gold"] else ""
                if gold in ids or (not gold and part_of(record["prompt"], parts) == number):
                    query = query_of(record, limits)
                    yield from _place(record, query.prompt.is_tags, retriever.find(query).found)
        finally:
            stylus.close()


def _place(
    record: Mapping[str, Any], is_tags: bool, found: Sequence[Candidate]
) -> Iterator[LinePosition]:
    """The position; None if the prompt's regime is not its kind's."""
    regime, gold = (
        "tags" if is_tags else "captions",
        record["gold"][0]["id"] if record["gold"] else "",
    )
    looked_at = [candidate for candidate in found if not gold or id_of(candidate.key) == gold]
    if kind_of(record) in (*FOR_NOTHING[regime], MEANT[regime]):
        features = np.array([candidate.features for candidate in looked_at], dtype=np.float32)
        line = float(ranker().of(is_tags).line(features).max()) if looked_at else NOWHERE
        yield LinePosition(regime, not gold, line)


def _rows(sizes: Sequence[tuple[int, Sequence[LinePosition]]]) -> Iterator[dict[str, Any]]:
    """Compare a threshold fixed at the first size with one that moves like the product's."""
    fixed = {}
    for regime in MEANT:
        nothing = [place.line for place in sizes[0][1] if place.nothing and place.regime == regime]
        meant = [place for place in sizes[0][1] if not place.nothing and place.regime == regime]
        if not (nothing and meant):
            raise InvalidInput(
                f"There are no {regime} with a right adapter, or none for which nothing fits: both"
                " are needed."
            )
        fixed[regime] = float(np.quantile(nothing, 1 - LET_THROUGH))
    for number, places in sizes:
        further = RISE * log10(max(number, FEWEST) / max(sizes[0][0], FEWEST))
        yield {"adapters": number} | {
            regime: _shares(places, regime, fixed[regime], further) for regime in MEANT
        }


def _shares(
    places: Sequence[LinePosition], regime: str, threshold: float, further: float
) -> dict[str, float]:
    nothing = np.array([place.line for place in places if place.nothing and place.regime == regime])
    meant = np.array(
        [place.line for place in places if not place.nothing and place.regime == regime]
    )
    shares = {
        "fixed": nothing > threshold,
        "moving": nothing > threshold + further,
        "above": meant > threshold + further,
    }
    return {name: round(float(share.mean()), 4) for name, share in shares.items()}
