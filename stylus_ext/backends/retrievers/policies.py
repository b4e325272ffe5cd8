"""The ways to find candidates, by name: the default, one for a reranker, and for comparison the
paper's cosine, words alone, and by lot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from stylus_ext.backends.retrievers.catalogue import LexicalCatalogue
from stylus_ext.backends.retrievers.features import Features
from stylus_ext.backends.retrievers.hybrid import EntryMemory, HybridRetriever, Tools
from stylus_ext.backends.retrievers.postings import Floats
from stylus_ext.backends.retrievers.question import Question
from stylus_ext.backends.retrievers.reranked import RerankedRetriever
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Embedder, Reranker, Retriever, Store, VectorIndex


class CosineRetriever(HybridRetriever):
    """The paper's: the cosine of the whole prompt with the whole card, and nothing else."""

    def _scores(self, found: Features, asked: Question) -> Floats:  # noqa: ARG002
        return found.values[:, 4]


class LexicalRetriever(HybridRetriever):
    """Words alone: the card's fields and the best example."""

    def _scores(self, found: Features, asked: Question) -> Floats:  # noqa: ARG002
        return found.values[:, 0] + found.values[:, 1]


class RandomRetriever(HybridRetriever):
    """By lot among what the others would look at; the same lot for the same prompt."""

    def _scores(self, found: Features, asked: Question) -> Floats:
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
