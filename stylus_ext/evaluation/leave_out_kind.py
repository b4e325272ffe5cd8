"""Evaluate the ranker on kinds of prompts that it was not trained on.

Beside it stand the fixed score over the same candidates and the lexical policy, which both learn
nothing. Adapters of the measured prompts may occur in the training; only their kind does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.core.ports import Composer, Progress, Retriever
from stylus_ext.core.settings import Selection
from stylus_ext.evaluation.measuring import opened
from stylus_ext.evaluation.out_of_fold import (
    FOR_NOTHING,
    RANKED,
    FoldResult,
    evaluate,
    fold_results,
    runs_of,
    shifts,
)
from stylus_ext.evaluation.picks import sample
from stylus_ext.evaluation.ranker import FOLDS, train
from stylus_ext.evaluation.selection import (
    Run,
    by_kind,
    cards,
    fill,
    id_of,
    ids_of,
    kind_of,
    query_of,
    read_queries,
)
from stylus_ext.selection.ranker import Ranker
from stylus_ext.selection.retrieve.features import FEATURES

LEXICAL = "lexical"
SAME_PROMPTS = {"loo-hard": "loo"}
"""Kinds that are left out together: the one has the other's prompts without some words."""

METHODS = ("learned", "fixed", LEXICAL)
_SHOWN = {
    "recall_at_1": "R@1",
    "recall_at_5": "R@5",
    "recall_at_10": "R@10",
    "recall_at_150": "R@150",
}
_SELECTED = {"precision": "sel-P", "selected": "sel-R"}


@dataclass(frozen=True, slots=True)
class KindComparison:
    """The runs of one group of kinds by each method."""

    queries: Sequence[Mapping[str, Any]]
    runs: Mapping[str, Mapping[str, Run]]

    def rows(self) -> Iterator[dict[str, Any]]:
        figures = {
            method: {kind.kind: kind.as_values() for kind in by_kind(self.queries, runs)}
            for method, runs in self.runs.items()
        }
        for kind, learned in figures["learned"].items():
            yield {
                "kind": kind,
                "queries": learned["queries"],
                **{method: figures[method][kind] for method in METHODS},
            }


def run_left_out(
    catalogue: Path, queries: Sequence[Path], progress: Progress, number: int | None = None
) -> dict[str, Any]:
    """Train once for each group of kinds, over all prompts or a sample of so many."""
    read = read_queries(queries)
    records = read if number is None else sample(read, number)
    with opened() as stylus:
        fill(stylus, cards(catalogue), progress)
        creators = {id_of(card.key): card.creator for card in cards(catalogue)}
        hybrid, composer = stylus.planner.retriever("hybrid"), stylus.planner.composer("rules")
        results = list(fold_results(records, Selection(), hybrid, creators, progress))
        groups = sorted({group_of(record) for record in records if record["gold"]})
        rows: list[dict[str, Any]] = []
        for place, group in enumerate(groups):
            progress.report("training", place, len(groups))
            ranker = train(
                [one.example for one in results if group_of(one.record) != group], FEATURES
            )
            rows += compare(
                [one for one in results if group_of(one.record) == group],
                [one for one in results if is_for_nothing(one.record)],
                ranker,
                (stylus.planner.retriever(LEXICAL), composer),
            ).rows()
    return {"kinds": rows}


def group_of(record: Mapping[str, Any]) -> str:
    kind = str(record["kind"])
    return SAME_PROMPTS.get(kind, kind)


def is_for_nothing(record: Mapping[str, Any]) -> bool:
    return any(kind_of(record) in kinds for kinds in FOR_NOTHING.values())


def compare(
    asked: Sequence[FoldResult],
    nothing: Sequence[FoldResult],
    ranker: Ranker,
    lexical: tuple[Retriever, Composer],
) -> KindComparison:
    """The threshold is set by prompts for which nothing fits, as in the product."""
    retriever, composer = lexical
    rankers = [ranker] * FOLDS
    shift = shifts(list(evaluate(nothing, rankers)), composer)
    learned = runs_of((one.moved(shift) for one in evaluate(asked, rankers)), composer)
    return KindComparison(
        [one.record for one in asked],
        {
            "learned": {run.query: run for run in learned},
            "fixed": {run.query: run for run in map(_fixed_run, asked)},
            LEXICAL: {run.query: run for run in _lexical_runs(asked, retriever, composer)},
        },
    )


def _fixed_run(result: FoldResult) -> Run:
    order: Sequence[int] = []
    if result.ids:
        scores = result.example.features[:, FEATURES.index("score")]
        order = np.argsort(-scores, kind="stable")[:RANKED].tolist()
    return Run(str(result.record["id"]), tuple(result.ids[place] for place in order), 0.0, ())


def _lexical_runs(
    asked: Sequence[FoldResult], retriever: Retriever, composer: Composer
) -> Iterator[Run]:
    limits = replace(Selection(), policy=LEXICAL, candidates=RANKED)
    for result in asked:
        query = query_of(result.record, limits)
        found = retriever.find(query)
        picked = ids_of(composer.compose(query, found).picks)
        yield Run(str(result.record["id"]), ids_of(found.found), found.confidence, picked)


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The fixed score has a ranking only, so nothing is selected by it."""
    columns = [
        (method, name, heading)
        for method in METHODS
        for name, heading in (_SHOWN if method == "fixed" else _SHOWN | _SELECTED).items()
    ]
    previous = ""
    heads = []
    for method, _, _ in columns:
        heads.append(f"{'' if method == previous else method:>7}")
        previous = method
    yield f"{'':44} {'':>5} " + "".join(heads)
    yield f"{'kind left out':44} {'n':>5} " + "".join(f"{head:>7}" for _, _, head in columns)
    for row in report["kinds"]:
        cells = (
            f"{row[method][name]:.3f}" if name in row[method] else "" for method, name, _ in columns
        )
        yield f"{row['kind']:44} {row['queries']:5} " + "".join(f"{cell:>7}" for cell in cells)
