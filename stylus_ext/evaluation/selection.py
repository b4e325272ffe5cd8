"""Whether the right adapters are found and picked: a catalogue and queries in, a ranking file and a
table out.

The catalogue goes the product's own way, through refiner, store, encoder and index, into a folder
that is thrown away; then retriever and composer are asked with default settings and without a
family.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from stylus_ext.app.wiring import open_stylus
from stylus_ext.app.wiring_stylus import Stylus
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.ports import Progress, Query, Sighting
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Selection, Settings, with_values
from stylus_ext.evaluation.bench_catalogue import cards, id_of, records
from stylus_ext.evaluation.figures import CUTS, Run, by_kind, separations

RANKED = 160
"""Candidates asked for, so that a ranking is at least as long as the deepest recall."""

_BATCH = 500


_HEADINGS = {
    **{f"recall_at_{cut}": f"R@{cut}" for cut in CUTS},
    "mrr": "MRR",
    "precision": "sel-P",
    "selected": "sel-R",
    "picks": "picks",
    "left_alone": "alone",
}


def run_selection(
    catalogue: Path, queries: Sequence[Path], out: Path, progress: Progress, policy: str = "hybrid"
) -> dict[str, Any]:
    """Writes the ranking and returns the table, and how well the confidence tells queries with
    nothing to find from others.
    """
    settings = with_values(Settings(), {"selection": {"policy": policy}})
    asked = read_queries(queries)
    with tempfile.TemporaryDirectory(prefix="stylus-bench-") as folder:
        stylus = open_stylus(Path(folder), settings)
        try:
            fill(stylus, cards(catalogue), progress)
            runs = list(_runs(stylus, settings, asked, progress))
        finally:
            stylus.close()
    write_ranking(runs, out)
    known = {run.query: run for run in runs}
    kinds = [kind.as_values() for kind in by_kind(asked, known)]
    return {
        "policy": policy,
        "queries": len(asked),
        "kinds": kinds,
        "auc": separations(asked, known),
    }


def read_queries(paths: Sequence[Path]) -> list[Mapping[str, Any]]:
    return [
        record
        for path in paths
        for record in records(path, id=str, prompt=str, kind=str, gold=list)
    ]


def asking(record: Mapping[str, Any], limits: Selection) -> Query:
    return Query(parse_prompt(record["prompt"]), parse_prompt(""), limits)


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'kind':44} {'n':>5} " + "".join(f"{heading:>7}" for heading in _HEADINGS.values())
    for kind in report["kinds"]:
        cells = (f"{kind[name]:.3f}" if name in kind else "" for name in _HEADINGS)
        yield f"{kind['kind']:44} {kind['queries']:5} " + "".join(f"{cell:>7}" for cell in cells)
    for pair, value in report["auc"].items():
        yield f"AUC {pair:50} {value:.3f}"


def write_ranking(runs: Sequence[Run], out: Path) -> None:
    with out.open("w", encoding="utf-8") as ranking:
        for run in runs:
            line = {
                "id": run.query,
                "ranking": run.ranking,
                "score": run.score,
                "selected": run.selected,
            }
            ranking.write(json.dumps(line) + "\n")


def fill(stylus: Stylus, every: Iterable[AdapterCard], progress: Progress) -> None:
    left, done = iter(every), 0
    while batch := list(islice(left, _BATCH)):
        stylus.refresh.take([Sighting(card=card) for card in batch])
        done += len(batch)
        progress.report("reading the catalogue", done)
    stylus.embed(progress)


def _runs(
    stylus: Stylus, settings: Settings, queries: Sequence[Mapping[str, Any]], progress: Progress
) -> Iterator[Run]:
    limits = settings.selection
    retriever, composer = stylus.retrievers(limits.policy), stylus.composers(limits.composer)
    for number, asked in enumerate(queries):
        progress.report("asking", number, len(queries))
        query = asking(asked, replace(limits, candidates=max(RANKED, limits.candidates)))
        found = retriever.find(query)
        picked = composer.compose(query, found).picks
        ranking = tuple(id_of(candidate.key) for candidate in found.found)
        yield Run(
            str(asked["id"]), ranking, found.confidence, tuple(id_of(pick.key) for pick in picked)
        )
