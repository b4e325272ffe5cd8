"""Train the ranker and evaluate it out of fold: each prompt with weights of other folds.

Retriever and composer are the product's; only score and confidence are computed anew. The weights
of all folds together are written for the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates
from stylus_ext.core.ports import Composer, Progress, Query, Retriever
from stylus_ext.core.prompt.phrases import EVEN, tag_likeness
from stylus_ext.core.settings import Selection
from stylus_ext.evaluation.measuring import opened, write_weights
from stylus_ext.evaluation.ranker import (
    FOLDS,
    TrainingExample,
    examples_without,
    train,
    training_example,
)
from stylus_ext.evaluation.selection import (
    Run,
    cards,
    fill,
    id_of,
    ids_of,
    kind_of,
    query_of,
    read_queries,
    report_of,
    write_ranking,
)
from stylus_ext.selection.lexical.segment import Floats
from stylus_ext.selection.ranker import SURE_OF_CALLED, Ranker, values_of
from stylus_ext.selection.retrieve.features import FEATURES
from stylus_ext.selection.retrieve.retrievers import confidence

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

    tag_share: float = 0.0
    called: frozenset[AdapterKey] = frozenset()

    def moved(self, shift: Mapping[str, float]) -> EvaluatedQuery:
        """Return the result with the confidences of the moved lines."""
        by = self.tag_share * shift["tags"] + (1 - self.tag_share) * shift["captions"]
        found = tuple(
            _with_certainty(candidate, self._moved(candidate, by)) for candidate in self.found.found
        )
        return replace(self, found=replace(self.found, found=found, confidence=confidence(found)))

    def _moved(self, candidate: Candidate, by: float) -> float:
        """The certainty after a move of the line; what is called stays sure."""
        sure = float(1 / (1 + np.exp(by - _logit(candidate.evidence.sure))))
        return max(sure, SURE_OF_CALLED) if candidate.key in self.called else sure


@dataclass(frozen=True, slots=True)
class FoldResult:
    """One prompt with its example and its first candidates; features are in the example only."""

    record: Mapping[str, Any]
    query: Query
    example: TrainingExample
    ids: tuple[str, ...]
    found: Candidates


def fold_results(
    queries: Sequence[Mapping[str, Any]],
    limits: Selection,
    retriever: Retriever,
    creators: Mapping[str, str],
    progress: Progress,
) -> Iterator[FoldResult]:
    for number, record in enumerate(queries):
        progress.report("retrieving", number, len(queries))
        query = query_of(record, replace(limits, candidates=DEPTH))
        found = retriever.find(query)
        first = tuple(replace(candidate, features=()) for candidate in found.found[:KEPT])
        yield FoldResult(
            record,
            replace(query, limits=limits),
            training_example(record, tag_likeness(query.prompt), found, creators),
            ids_of(found.found),
            replace(found, found=first),
        )


def evaluate(results: Sequence[FoldResult], rankers: Sequence[Ranker]) -> Iterator[EvaluatedQuery]:
    for result in results:
        if not result.ids:  # no numbers, no columns
            yield EvaluatedQuery(result.record, result.query, (), result.found)
            continue
        example = result.example
        ranker = rankers[example.fold]
        scores = ranker.scores(example.features)
        sure = ranker.certainties(example.features)
        order = np.argsort(-scores, kind="stable")[:RANKED]
        found = with_scores(result.found, scores, sure)
        yield EvaluatedQuery(
            result.record,
            result.query,
            tuple(result.ids[place] for place in order),
            replace(found, found=found.found[:COMPOSED]),
            float(ranker.tag_share(example.features[:1])[0]),
            frozenset(
                candidate.key
                for candidate, is_called in zip(
                    result.found.found, ranker.called(example.features), strict=False
                )
                if is_called
            ),
        )


def with_scores(found: Candidates, scores: Floats, sure: Floats) -> Candidates:
    """Return the candidates with new scores and confidences, best first."""
    if not found.found:
        return found
    rescored = [
        replace(_with_certainty(candidate, certainty), score=round(float(score), 5))
        for candidate, score, certainty in zip(found.found, scores, sure, strict=False)
    ]
    rescored.sort(key=lambda candidate: -candidate.score)
    return replace(found, found=tuple(rescored), confidence=confidence(rescored))


def _with_certainty(candidate: Candidate, sure: float) -> Candidate:
    return replace(candidate, evidence=replace(candidate.evidence, sure=round(float(sure), 5)))


def with_midpoint(ranker: Ranker, shift: Mapping[str, float]) -> Ranker:
    """Move the midpoint of each confidence line."""
    tags, captions = (
        replace(weights, line=replace(weights.line, half=weights.line.half + shift[regime]))
        for regime, weights in (("tags", ranker.tags), ("captions", ranker.captions))
    )
    return replace(ranker, tags=tags, captions=captions)


def shifts(evaluated: Sequence[EvaluatedQuery], composer: Composer) -> dict[str, float]:
    """Return the shifts at which the composer leaves the wanted share of prompts alone."""
    best: dict[str, list[tuple[float, float]]] = {"captions": [], "tags": []}
    for result in evaluated:
        for regime, kinds in FOR_NOTHING.items():
            if kind_of(result.record) in kinds:
                loose = replace(result.query, limits=replace(result.query.limits, strictness=0.0))
                picks = composer.compose(loose, result.found).picks
                if not any(pick.key in result.called for pick in picks):
                    surest = _logit(max((pick.score for pick in picks), default=0.0))
                    best[regime].append((result.tag_share, surest))
    captions = _quantile([sure for _, sure in best["captions"]], ALONE["captions"])
    # Prompts between both regimes get a part of each shift.
    left = [
        (sure - (1 - share) * captions) / share for share, sure in best["tags"] if share >= EVEN
    ]
    return {"captions": captions, "tags": _quantile(left, ALONE["tags"])}


def _quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(values, share)) if values else 0.0


def _logit(sure: float) -> float:
    near = min(max(sure, 1e-4), 1 - 1e-4)
    return float(np.log(near / (1 - near)))


def rankers_of(
    examples: Sequence[TrainingExample], progress: Progress
) -> tuple[Ranker, list[Ranker]]:
    """Train one ranker on all examples and one per fold without it."""
    found: list[Ranker] = []
    for fold in (None, *range(FOLDS)):
        progress.report("training", len(found), FOLDS + 1)
        found.append(train(list(examples_without(examples, fold)), FEATURES))
    return found[0], found[1:]


def runs_of(evaluated: Iterable[EvaluatedQuery], composer: Composer) -> Iterator[Run]:
    for result in evaluated:
        picked = ids_of(composer.compose(result.query, result.found).picks)
        yield Run(str(result.record["id"]), result.ranking, result.found.confidence, picked)


def run_training(
    catalogue: Path,
    queries: Sequence[Path],
    out: Path,
    progress: Progress,
    ranking: Path | None = None,
) -> dict[str, Any]:
    """Write the weights; return the out-of-fold table of `bench selection`."""
    records = read_queries(queries)
    with opened() as stylus:
        fill(stylus, cards(catalogue), progress)
        retriever, composer = stylus.planner.retriever("hybrid"), stylus.planner.composer("rules")
        creators = {id_of(card.key): card.creator for card in cards(catalogue)}
        results = list(fold_results(records, Selection(), retriever, creators, progress))
        whole, parts = rankers_of([result.example for result in results], progress)
        evaluated = list(evaluate(results, parts))
        shift = shifts(evaluated, composer)
        write_weights(out, values_of(with_midpoint(whole, shift)))
        runs = list(runs_of((result.moved(shift) for result in evaluated), composer))
    if ranking is not None:
        write_ranking(runs, ranking)
    return report_of("hybrid, out of fold", records, runs)
