"""Opens the encoder, the vector index that fits it, and the reranker; knows keys and prices."""

from __future__ import annotations

import logging
from pathlib import Path

from stylus_ext.catalogue.embedders import EndpointEmbedder, QuestionEmbedder
from stylus_ext.catalogue.embedders.local import model_files
from stylus_ext.catalogue.sources.stylusdocs import DIMENSIONS, MODEL
from stylus_ext.catalogue.vectors import (
    ChromaIndex,
    ImportedIndex,
    LateIndex,
    remembered_dimensions,
)
from stylus_ext.core.composition import Candidates
from stylus_ext.core.errors import InvalidInput, Unavailable
from stylus_ext.core.ports import Embedder, Query, Reranker
from stylus_ext.core.settings import Encoder, Reranking, Settings, Vectors
from stylus_ext.llm.server import OPENAI, OPENAI_KEY, place_of
from stylus_ext.net import Key, KeyName, key_for, origin_of
from stylus_ext.selection.rerank import RERANK_KEY, reranker_for

logger = logging.getLogger(__name__)

EMBEDDING_PRICES = {
    "text-embedding-3-large": 0.13,
    "text-embedding-3-small": 0.02,
    "text-embedding-ada-002": 0.10,
    "gemini-embedding-001": 0.15,
}
"""US dollars per million tokens, as published by August 2025."""
_TOKENS_PER_ENTRY = 180  # both embedded texts of a card of usual length
ENCODER_KEY = KeyName("encoder", "STYLUS_ENCODER_KEY", OPENAI)
_FIRST_PROBE_S = 5.0

AnyIndex = ChromaIndex | LateIndex | ImportedIndex


def encoder_key(folder: Path, encoder: Encoder) -> Key | None:
    """The key for the embedding endpoint; OpenAI's general key is used for OpenAI only."""
    if not encoder.endpoint:
        return None
    try:
        key = key_for(folder, encoder.endpoint, ENCODER_KEY)
        if key is None and origin_of(encoder.endpoint) == OPENAI:
            key = key_for(folder, encoder.endpoint, OPENAI_KEY)
    except InvalidInput as error:  # the embedder reports what is wrong with the address
        logger.warning("The embedding endpoint is used without a key: %s", error)
        return None
    return key


def embedding_cost(encoder: Encoder) -> str:
    """What a paid endpoint charges, for the end of a sentence; empty if it is free."""
    if not encoder.endpoint or place_of(encoder.endpoint) != "elsewhere":
        return ""
    price = EMBEDDING_PRICES.get(encoder.model.rpartition("/")[2])
    if price is None:
        return ", at a price that Stylus does not know"
    return (
        f", at about ${price:g} for a million tokens (${_TOKENS_PER_ENTRY * 1000 * price / 1e6:.2f}"
        " for 1,000 adapters)"
    )


def accepts_published_vectors(encoder: Encoder) -> bool:
    """Whether the encoder makes vectors of the same model and length as the published ones."""
    return (
        bool(encoder.endpoint)
        and encoder.model.rpartition("/")[2] == MODEL
        and encoder.dimensions in (0, DIMENSIONS)
    )


def new_index(folder: Path, embedder: Embedder, vectors: Vectors) -> ChromaIndex:
    return ChromaIndex(
        folder,
        embedder.name,
        embedder.dimensions,
        url=vectors.chroma_url,
        exact_below=vectors.exact_below,
    )


def open_index(
    folder: Path, embedder: Embedder, settings: Settings
) -> tuple[QuestionEmbedder, AnyIndex]:
    """The embedder of prompts, and the index.

    An endpoint that does not answer does not stop the engine: the index opens once the length of
    its vectors is known.
    """
    place = folder / "vectors"
    index: AnyIndex
    if isinstance(embedder, EndpointEmbedder):
        questions = QuestionEmbedder(
            embedder, lambda: embedder.known, embedder.probe, within=embedder.embed_within
        )
        try:
            embedder.probe(_FIRST_PROBE_S)
        except Unavailable as error:
            embedder.remember(remembered_dimensions(place, embedder.name))
            questions.mark_unavailable(str(error))
        if embedder.known:
            index = new_index(place, embedder, settings.vectors)
        else:
            index = LateIndex(
                lambda: embedder.known, lambda: new_index(place, embedder, settings.vectors)
            )
    else:
        questions = QuestionEmbedder(embedder, lambda: embedder.dimensions, lambda: None)
        index = new_index(place, embedder, settings.vectors)
    if accepts_published_vectors(settings.encoder):
        index = ImportedIndex(index, place / "lent", DIMENSIONS)
    return questions, index


class UnusableReranker:
    """A reranker whose address cannot be used; plans go on and name the reason."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:  # noqa: ARG002
        raise Unavailable(self._problem)


def open_reranker(folder: Path, settings: Settings) -> Reranker | None:
    try:
        return reranker_for(
            settings.reranking,
            settings.encoder.device,
            lambda model: model_files(model).folder,
            lambda url: key_for(folder, url, RERANK_KEY),
        )
    except InvalidInput as error:
        return UnusableReranker(f"reranking.rerank_url cannot be used. {error}")


def reranks_for_free(reranking: Reranking) -> bool:
    """Whether the reranker is in the user's own network; an unusable address costs nothing."""
    try:
        return not reranking.rerank_url or place_of(origin_of(reranking.rerank_url)) != "elsewhere"
    except InvalidInput:
        return True
