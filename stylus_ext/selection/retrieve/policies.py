"""The ways to find candidates, by name: the default, one for a reranker, and for comparison the
paper's cosine, words alone, and by lot.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from stylus_ext.core.composition import Candidate, Candidates
from stylus_ext.core.errors import Cancelled, InvalidInput, Note, StylusError
from stylus_ext.core.ports import Embedder, Query, Reranker, Retriever, Store, VectorIndex
from stylus_ext.selection.lexical.catalogue import LexicalCatalogue
from stylus_ext.selection.lexical.postings import Floats
from stylus_ext.selection.retrieve.features import Features
from stylus_ext.selection.retrieve.hybrid import EntryMemory, HybridRetriever, Tools, confidence
from stylus_ext.selection.retrieve.question import RetrievalQuery

log = logging.getLogger(__name__)

NO_RERANKER = Note(
    "no_reranker",
    "No reranker is set up, so the policy `rerank` found candidates as `hybrid` does.",
)


class RerankedRetriever(HybridRetriever):
    """Implements `Retriever`. Whatever the reranker does, nothing is added to what was found, and
    nothing lost.
    """

    def __init__(self, tools: Tools, reranker: Reranker | None) -> None:
        super().__init__(tools)
        self._reranker = reranker

    def find(self, query: Query) -> Candidates:
        found = super().find(query)
        if self._reranker is None:
            return replace(found, notes=(*found.notes, NO_RERANKER))
        try:
            ordered = self._reranker.rerank(query, found)
        except Cancelled:
            raise
        except StylusError as error:
            log.warning("not reranked: %s", error)
            return replace(
                found,
                notes=(
                    *found.notes,
                    Note("not_reranked", f"The candidates were not put in order anew: {error}"),
                ),
            )
        best = _whole(found, ordered)
        return replace(
            found, found=best, confidence=confidence(best), notes=(*found.notes, *ordered.notes)
        )


def _whole(found: Candidates, ordered: Candidates) -> tuple[Candidate, ...]:
    """What the reranker scored, best first, each once; then what it left out, with scores that say
    so.
    """
    known = {candidate.key for candidate in found.found}
    scored: dict[object, Candidate] = {}
    for candidate in sorted(ordered.found, key=lambda candidate: -candidate.score):
        if candidate.key in known:
            scored.setdefault(candidate.key, candidate)
    lowest = min((candidate.score for candidate in scored.values()), default=0.0)
    rest = (candidate for candidate in found.found if candidate.key not in scored)
    return (
        *scored.values(),
        *(replace(candidate, score=min(candidate.score, lowest)) for candidate in rest),
    )


class CosineRetriever(HybridRetriever):
    """The paper's: the cosine of the whole prompt with the whole card, and nothing else."""

    def _scores(self, found: Features, asked: RetrievalQuery) -> Floats:  # noqa: ARG002
        return found.values[:, 4]


class LexicalRetriever(HybridRetriever):
    """Words alone: the card's fields and the best example."""

    def _scores(self, found: Features, asked: RetrievalQuery) -> Floats:  # noqa: ARG002
        return found.values[:, 0] + found.values[:, 1]


class RandomRetriever(HybridRetriever):
    """By lot among what the others would look at; the same lot for the same prompt."""

    def _scores(self, found: Features, asked: RetrievalQuery) -> Floats:
        seed = hashlib.sha256(" ".join(asked.words.words).encode("utf-8", "surrogatepass")).digest()
        return np.random.default_rng(list(seed)).random(len(found.rows), dtype=np.float32)


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
    """From the name of a policy to its retriever; all share one lexical index, which lives in
    `folder`.
    """
    tools = Tools(LexicalCatalogue(store, folder), EntryMemory(store), index, embedder)

    @cache
    def named(policy: str) -> Retriever:
        if policy == RERANK:
            return RerankedRetriever(tools, reranker)
        if policy not in _POLICIES:
            raise InvalidInput(
                f"There is no way of finding candidates called {policy!r}; there are"
                f" {', '.join((*_POLICIES, RERANK))}."
            )
        return _POLICIES[policy](tools)

    return named
