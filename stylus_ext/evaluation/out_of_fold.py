"""Train the ranker and evaluate it out of fold: each prompt with weights of other folds.

Retriever and composer are the product's; only score and confidence are computed anew. The weights
of all folds together are written for the product.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.core.composition import Candidates
from stylus_ext.core.ports import Composer, Progress, Query, Retriever
from stylus_ext.core.settings import Selection, Settings
from stylus_ext.engine.stylus import open_stylus
from stylus_ext.evaluation.ranker import (
    FOLDS,
    TrainingExample,
    examples_without,
    train,
    training_example,
)
from stylus_ext.evaluation.selection import (
    Run,
    by_kind,
    cards,
    fill,
    id_of,
    kind_of,
    query_of,
    read_queries,
    separations,
    write_ranking,
)
from stylus_ext.selection.lexical.segment import Floats
from stylus_ext.selection.ranker import Ranker, RankerWeights, values_of
from stylus_ext.selection.retrieve.features import FEATURES

DEPTH = 400
"""How many candidates of a prompt the ranker may reorder."""

KEPT, RANKED, COMPOSED = 100, 160, 60
ALONE = {"captions": 0.956, "tags": 0.97}
# The share of prompts for which nothing fits that must stay below one half; slightly above what
# is promised.

FOR_NOTHING = {"captions": ("none:lexical", "none:composer-none"), "tags": ("none:human-no-lora",)}


@dataclass(frozen=True, slots=True)
class EvaluatedQuery:
    """One prompt of the benchmark and its result with the ranker of its fold."""

    record: Mapping[str, Any]
    query: Query
    ranking: tuple[str, ...]
    found: Candidates


@dataclass(frozen=True, slots=True)
class FoldResult:
    """One prompt with its lesson and its first candidates; numbers are in the lesson only."""

    record: Mapping[str, Any]
    query: Query
    example: TrainingExample
    ids: tuple[str, ...]
    found: Candidates


def fold_results(
    queries: Sequence[Mapping[str, Any]],
    ask: Callable[[Mapping[str, Any], Selection], Query],
    limits: Selection,
    retriever: Retriever,
    creators: Mapping[str, str],
    progress: Progress,
) -> Iterator[FoldResult]:
    for number, record in enumerate(queries):
        progress.report("looking", number, len(queries))
        query = ask(record, replace(limits, candidates=DEPTH))
        found = retriever.find(query)
        first = tuple(replace(candidate, features=()) for candidate in found.found[:KEPT])
        yield FoldResult(
            record,
            replace(query, limits=limits),
            training_example(record, query.prompt.is_tags, found, creators),
            tuple(id_of(candidate.key) for candidate in found.found),
            replace(found, found=first),
        )


def evaluate(kept: Sequence[FoldResult], rankers: Mapping[int, Ranker]) -> Iterator[EvaluatedQuery]:
    for each in kept:
        if not each.ids:  # no numbers, no columns
            yield EvaluatedQuery(each.record, each.query, (), each.found)
            continue
        ranker, features, is_tags = (
            rankers[each.example.fold],
            each.example.features,
            each.example.is_tags,
        )
        scores = ranker.scores(features, is_tags)
        ranking = tuple(each.ids[place] for place in np.argsort(-scores, kind="stable")[:RANKED])
        found = with_scores(each.found, scores, ranker.certainties(features, is_tags))
        yield EvaluatedQuery(
            each.record, each.query, ranking, replace(found, found=found.found[:COMPOSED])
        )


def with_scores(found: Candidates, scores: Floats, sure: Floats) -> Candidates:
    """Return the candidates with new scores and confidences, best first."""
    if not found.found:
        return found
    again = [
        replace(
            candidate,
            score=round(float(score), 5),
            evidence=replace(candidate.evidence, sure=round(float(surety), 5)),
        )
        for candidate, score, surety in zip(found.found, scores, sure, strict=False)
    ]
    again.sort(key=lambda candidate: -candidate.score)
    return replace(
        found, found=tuple(again), confidence=max(candidate.evidence.sure for candidate in again)
    )


def with_midpoint(ranker: Ranker, shift: Mapping[str, float]) -> Ranker:
    """Move the midpoint of each confidence line."""
    tags, captions = (
        RankerWeights(held.net, replace(held.line, half=held.line.half + shift[name]))
        for name, held in (("tags", ranker.tags), ("captions", ranker.captions))
    )
    return replace(ranker, tags=tags, captions=captions)


def shifts(asked: Sequence[EvaluatedQuery], composer: Composer) -> dict[str, float]:
    """Return the shifts at which the composer leaves the wanted share of prompts alone."""
    best: dict[str, list[float]] = {"captions": [], "tags": []}
    for each in asked:
        regime = "tags" if each.query.prompt.is_tags else "captions"
        if kind_of(each.record) in FOR_NOTHING[regime]:
            loose = replace(each.query, limits=replace(each.query.limits, strictness=0.0))
            sure = max(
                (pick.score for pick in composer.compose(loose, each.found).picks), default=0.0
            )
            best[regime].append(_logit(sure))
    return {
        name: float(np.quantile(values, ALONE[name])) if values else 0.0
        for name, values in best.items()
    }


def _logit(sure: float) -> float:
    near = min(max(sure, 1e-4), 1 - 1e-4)
    return float(np.log(near / (1 - near)))


def write(ranker: Ranker, path: Path) -> None:
    path.write_text(json.dumps(values_of(ranker), separators=(",", ":")) + "\n", "utf-8")


def creators_of(catalogue: Path) -> dict[str, str]:
    return {id_of(card.key): card.creator for card in cards(catalogue)}


def rankers_of(
    lessons: Sequence[TrainingExample], progress: Progress
) -> tuple[Ranker, list[Ranker]]:
    """Train one ranker on all lessons and one per fold without it."""
    found: list[Ranker] = []
    for fold in (None, *range(FOLDS)):
        progress.report("training", len(found), FOLDS + 1)
        found.append(train(list(examples_without(lessons, fold)), FEATURES))
    return found[0], found[1:]


def runs_of(asked: Sequence[EvaluatedQuery], composer: Composer) -> Iterator[Run]:
    for each in asked:
        picked = composer.compose(each.query, each.found).picks
        yield Run(
            str(each.record["id"]),
            each.ranking,
            each.found.confidence,
            tuple(id_of(pick.key) for pick in picked),
        )


def with_shift(each: EvaluatedQuery, shift: Mapping[str, float]) -> EvaluatedQuery:
    """Return the results with the confidences of the moved lines."""
    move = shift["tags" if each.query.prompt.is_tags else "captions"]
    again = tuple(
        replace(
            candidate,
            evidence=replace(candidate.evidence, sure=_moved(candidate.evidence.sure, move)),
        )
        for candidate in each.found.found
    )
    return replace(
        each, found=replace(each.found, found=again, confidence=_moved(each.found.confidence, move))
    )


def _moved(sure: float, move: float) -> float:
    return float(1 / (1 + np.exp(move - _logit(sure))))


def run_training(
    catalogue: Path,
    queries: Sequence[Path],
    out: Path,
    progress: Progress,
    ranking: Path | None = None,
) -> dict[str, Any]:
    """Write the weights; return the out-of-fold table of `bench selection`."""
    records = read_queries(queries)
    with tempfile.TemporaryDirectory(prefix="stylus-bench-") as folder:
        stylus = open_stylus(Path(folder), Settings())
        try:
            fill(stylus, cards(catalogue), progress)
            retriever, composer = (
                stylus.planner.retriever("hybrid"),
                stylus.planner.composer("rules"),
            )
            creators, limits = creators_of(catalogue), Selection()
            kept = list(fold_results(records, query_of, limits, retriever, creators, progress))
            whole, parts = rankers_of([each.example for each in kept], progress)
            asked = list(evaluate(kept, dict(enumerate(parts))))
            return _finished(whole, asked, composer, out, ranking)
        finally:
            stylus.close()


def _finished(
    whole: Ranker, asked: Sequence[EvaluatedQuery], composer: Any, out: Path, ranking: Path | None
) -> dict[str, Any]:
    shift = shifts(asked, composer)
    write(with_midpoint(whole, shift), out)
    runs = list(runs_of([with_shift(each, shift) for each in asked], composer))
    if ranking is not None:
        write_ranking(runs, ranking)
    known: Mapping[str, Any] = {run.query: run for run in runs}
    records = [each.record for each in asked]
    kinds = [kind.as_values() for kind in by_kind(records, known)]
    return {
        "policy": "hybrid, out of fold",
        "queries": len(asked),
        "kinds": kinds,
        "auc": separations(records, known),
    }
