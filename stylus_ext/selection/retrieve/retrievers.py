"""The retrievers: words and vectors fused into one ranking, and simpler ones for comparison."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.composition import Candidate, Candidates, NearMiss
from stylus_ext.core.errors import Cancelled, InvalidInput, Note, StylusError
from stylus_ext.core.ports import Embedder, Hit, Query, Reranker, Retriever, Store, VectorIndex
from stylus_ext.selection.lexical.attributes import ALWAYS
from stylus_ext.selection.lexical.catalogue import EntryReader, LexicalCatalogue
from stylus_ext.selection.lexical.index import LexicalIndex, Mask, NameMatches
from stylus_ext.selection.lexical.segment import Floats, Ints
from stylus_ext.selection.ranker import ranker
from stylus_ext.selection.retrieve.features import FEATURES, Features, features
from stylus_ext.selection.retrieve.filters import Gate, diverse
from stylus_ext.selection.retrieve.query import EvidenceFinder, RetrievalQuery, retrieval_query

logger = logging.getLogger(__name__)

POOL_PER_SPAN = 30
POOL_NAMED = 200
POOL_ALL = 4_000
"""With no more open entries than this, all of them are scored."""

POOL_MIN_IDF = 0.7
"""Words in more than half of all cards add nothing to the pool; they still count as features."""

MAX_REFUSED = 10
REFUSED_MIN_SURE = 0.2
"""A refused entry below this certainty was never near, and is not reported."""

NAMED_MIN_MASS = 4.5
"""Least idf mass of a name or trigger that counts as naming the adapter; the composer's too."""

SPARE = 30
"""Entries read beyond those wanted, since some will be refused."""

_CARD, _BEST_EXAMPLE, _TEXT, _NAME, _TRIGGER = (
    FEATURES.index(name) for name in ("card", "best_example", "text", "name", "trigger")
)
_TITLE = FEATURES.index("title")


def confidence(candidates: Sequence[Candidate]) -> float:
    return max((candidate.evidence.sure for candidate in candidates), default=0.0)


@dataclass(frozen=True, slots=True)
class RetrievalParts:
    """What every retriever works with."""

    catalogue: LexicalCatalogue
    entries: EntryReader
    vectors: VectorIndex
    embedder: Embedder


class HybridRetriever:
    """Implements `Retriever`."""

    def __init__(self, parts: RetrievalParts) -> None:
        self._parts = parts

    def find(self, query: Query) -> Candidates:
        lexical, vectors = self._parts.catalogue.current(), self._parts.vectors
        parsed = retrieval_query(query, lexical, self._parts.embedder)
        gate = Gate.of(query, lexical)
        matches = lexical.named(parsed.words)
        most = query.limits.candidates
        rows = _pool(parsed, matches, lexical, vectors, gate, most)
        rows = np.union1d(rows, np.flatnonzero(gate.open & lexical.has(ALWAYS))).astype(np.int32)
        found = features(parsed, lexical, vectors, rows, matches)
        ranked, refused = self._ranked(gate, lexical, parsed, found, most)
        refused += self._misfits(gate, lexical, matches)
        pinned = (
            candidate for candidate in ranked[most:] if candidate.entry.edits.state == "always"
        )
        best = (*ranked[:most], *pinned)
        tasks = tuple(parsed.spans[number] for number in parsed.tasks)
        return Candidates(best, tasks, confidence(best), tuple(refused[:MAX_REFUSED]))

    def _scores(self, found: Features, query: RetrievalQuery) -> Floats:  # noqa: ARG002
        return ranker().scores(found.values)

    def _certainties(
        self,
        found: Features,
        scores: Floats,  # noqa: ARG002
        query: RetrievalQuery,  # noqa: ARG002
        among: int,
    ) -> Floats:
        return ranker().certainties(found.values, among)

    def _ranked(
        self,
        gate: Gate,
        lexical: LexicalIndex,
        query: RetrievalQuery,
        found: Features,
        most: int,
    ) -> tuple[list[Candidate], list[NearMiss]]:
        scores = self._scores(found, query)
        places = _order(lexical, found.rows, scores, most + SPARE)
        keys = lexical.keys_of(found.rows[places])
        entries = self._parts.entries.read(keys)
        finder = EvidenceFinder.of(query)
        sure = self._certainties(found, scores, query, int(np.count_nonzero(gate.open)))
        kept: list[Candidate] = []
        refused: list[NearMiss] = []
        for key, at in zip(keys, places, strict=True):
            entry = entries.get(key)
            if entry is None:
                continue
            values = found.values[at]
            score = round(float(scores[at]) * gate.factor(entry), 5)
            name_mass = max(values[_NAME], values[_TRIGGER]) ** 2
            if reason := gate.refusal(entry, bool(name_mass >= NAMED_MIN_MASS)):
                if sure[at] >= REFUSED_MIN_SURE:
                    refused.append(
                        NearMiss(key, entry.card.name, reason, round(float(sure[at]), 5))
                    )
                continue
            evidence, by_task = finder.evidence(
                entry,
                (values[_CARD], values[_TITLE]),
                found.coverage[:, at].tolist(),
                found.closeness[:, at].tolist(),
                is_named=bool(name_mass),
            )
            evidence = replace(evidence, sure=round(float(sure[at]), 5))
            kept.append(Candidate(entry, score, evidence, by_task, tuple(values.tolist())))
        kept.sort(key=lambda candidate: (-candidate.score, gate.factor(candidate.entry) < 1))
        ranked, dropped = diverse(kept)
        return ranked, refused + dropped

    def _misfits(self, gate: Gate, lexical: LexicalIndex, matches: NameMatches) -> list[NearMiss]:
        """Entries outside the gate that the prompt names or the user always wants."""
        outside = ~gate.open & lexical.alive
        pinned = np.flatnonzero(outside & lexical.has(ALWAYS))
        named = np.flatnonzero(outside[matches.rows] & (matches.masses >= NAMED_MIN_MASS))
        ranked = matches.rows[named[np.argsort(-matches.masses[named], kind="stable")]]
        rows = list(dict.fromkeys([*pinned.tolist(), *ranked.tolist()]))[:MAX_REFUSED]
        entries = self._parts.entries.read(lexical.keys_of(np.array(rows, dtype=np.int32)))
        return [
            NearMiss(entry.key, entry.card.name, reason)
            for entry in entries.values()
            if (reason := gate.misfit(entry))
        ]


def _pool(
    query: RetrievalQuery,
    matches: NameMatches,
    lexical: LexicalIndex,
    vectors: VectorIndex,
    gate: Gate,
    candidates: int,
) -> Ints:
    """The rows to score: the best by words, by name and by vector."""
    opened = np.flatnonzero(gate.open)
    if len(opened) <= POOL_ALL:
        return opened.astype(np.int32)
    most = max(150, candidates)
    words = query.words.where(query.words.idf >= POOL_MIN_IDF)
    found = [
        _best(lexical.card_scores(words), gate.open, most),
        _best(lexical.example_scores(words), gate.open, most),
        _named(matches, gate.open),
        *_by_vectors(query, lexical, vectors, gate, most),
    ]
    rows = np.unique(np.concatenate(found))
    pool: Ints = rows[gate.open[rows]].astype(np.int32)
    return pool


def _best(scores: Floats, opened: Mask, most: int) -> NDArray[np.int64]:
    rows = np.flatnonzero((scores > 0) & opened)
    if len(rows) > most:
        rows = rows[np.argpartition(-scores[rows], most - 1)[:most]]
    return rows


def _named(matches: NameMatches, opened: Mask) -> NDArray[np.int64]:
    places = np.flatnonzero(opened[matches.rows])
    if len(places) > POOL_NAMED:
        places = places[np.argsort(-matches.masses[places], kind="stable")[:POOL_NAMED]]
    return matches.rows[places].astype(np.int64)


def _by_vectors(
    query: RetrievalQuery, lexical: LexicalIndex, vectors: VectorIndex, gate: Gate, most: int
) -> Iterator[NDArray[np.int64]]:
    """Search the prompt, and in captions each span; tags are words already."""
    spans = query.span_vectors[: len(query.ranked_embedded)]
    alone = query.vector if query.is_tags else np.concatenate([query.vector, spans])
    yield _rows(vectors.search("card", query.vector, most, gate.families)[0], lexical)
    for number, hits in enumerate(vectors.search("title", alone, most, gate.families)):
        yield _rows(hits if number == 0 else hits[:POOL_PER_SPAN], lexical)


def _rows(hits: list[Hit], lexical: LexicalIndex) -> NDArray[np.int64]:
    """Unknown keys are skipped: the vectors may be a moment behind or ahead of the store."""
    return np.array(
        [lexical.rows[str(hit.key)] for hit in hits if str(hit.key) in lexical.rows], dtype=np.int64
    )


def _order(lexical: LexicalIndex, rows: Ints, scores: Floats, most: int) -> list[int]:
    """Places in `rows`, best first, and of `always` in any case.

    Equal scores are ordered by downloads, then by key, so that the order never changes.
    """
    downloads, rounded = lexical.downloads[rows], np.round(scores, 4)
    pinned = np.flatnonzero((lexical.flags[rows] & ALWAYS) != 0).tolist()
    order: list[int] = np.lexsort((-downloads, -rounded))[:most].tolist()
    chosen = dict.fromkeys(order + pinned)
    return sorted(chosen, key=lambda at: (-rounded[at], -downloads[at], lexical.key(int(rows[at]))))


class RerankedRetriever(HybridRetriever):
    """Implements `Retriever`. A reranker changes the order; it adds and removes nothing."""

    def __init__(self, parts: RetrievalParts, reranker: Reranker | None) -> None:
        super().__init__(parts)
        self._reranker = reranker

    def find(self, query: Query) -> Candidates:
        found = super().find(query)
        if self._reranker is None:
            return _with_note(
                found, "no_reranker", "No reranker is set up; the order is that of 'hybrid'."
            )
        try:
            ordered = self._reranker.rerank(query, found)
        except Cancelled:
            raise
        except StylusError as error:
            logger.warning("Not reranked: %s", error)
            return _with_note(found, "not_reranked", f"Candidates were not reranked: {error}")
        best = _all_of(found, ordered)
        return replace(
            found, found=best, confidence=confidence(best), notes=(*found.notes, *ordered.notes)
        )


def _with_note(found: Candidates, code: str, text: str) -> Candidates:
    return replace(found, notes=(*found.notes, Note(code, text)))


def _all_of(found: Candidates, ordered: Candidates) -> tuple[Candidate, ...]:
    """The reranked candidates, each once, then those that the reranker left out."""
    known = {candidate.key for candidate in found.found}
    reranked: dict[object, Candidate] = {}
    for candidate in sorted(ordered.found, key=lambda candidate: -candidate.score):
        if candidate.key in known:
            reranked.setdefault(candidate.key, candidate)
    lowest = min((candidate.score for candidate in reranked.values()), default=0.0)
    rest = (
        replace(candidate, score=min(candidate.score, lowest))
        for candidate in found.found
        if candidate.key not in reranked
    )
    return (*reranked.values(), *rest)


class BaselineRetriever(HybridRetriever):
    """Ranks by one plain score, from which the certainty comes too."""

    def _certainties(
        self,
        found: Features,  # noqa: ARG002
        scores: Floats,
        query: RetrievalQuery,  # noqa: ARG002
        among: int,  # noqa: ARG002
    ) -> Floats:
        high = np.maximum(scores, 0.0)
        sure: Floats = (high / (1.0 + high)).astype(np.float32)
        return sure


class CosineRetriever(BaselineRetriever):
    """The paper's retriever: the cosine of the whole prompt with the whole card."""

    def _scores(self, found: Features, query: RetrievalQuery) -> Floats:  # noqa: ARG002
        return found.values[:, _TEXT]


class LexicalRetriever(BaselineRetriever):
    """Words only: the fields of the card and the best example."""

    def _scores(self, found: Features, query: RetrievalQuery) -> Floats:  # noqa: ARG002
        return found.values[:, _CARD] + found.values[:, _BEST_EXAMPLE]


class RandomRetriever(BaselineRetriever):
    """A random order, the same one for the same prompt."""

    def _scores(self, found: Features, query: RetrievalQuery) -> Floats:
        text = " ".join(query.words.words).encode("utf-8", "surrogatepass")
        seed = list(hashlib.sha256(text).digest())
        return np.random.default_rng(seed).random(len(found.rows), dtype=np.float32)


RERANK = "rerank"
_POLICIES = {
    "hybrid": HybridRetriever,
    "cosine": CosineRetriever,
    "lexical": LexicalRetriever,
    "random": RandomRetriever,
}


def retriever_for(
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    folder: Path,
    reranker: Reranker | None = None,
) -> Callable[[str], Retriever]:
    """Finds retrievers by the name of a policy; all share one lexical index, kept in `folder`."""
    parts = RetrievalParts(LexicalCatalogue(store, folder), EntryReader(store), index, embedder)

    @cache
    def by_policy(policy: str) -> Retriever:
        if policy == RERANK:
            return RerankedRetriever(parts, reranker)
        if policy not in _POLICIES:
            known = ", ".join((*_POLICIES, RERANK))
            raise InvalidInput(f"Unknown retrieval policy {policy!r}. Known: {known}.")
        return _POLICIES[policy](parts)

    return by_policy
