"""Embedders: a local sentence-transformers model, or an OpenAI-compatible endpoint."""

from __future__ import annotations

from stylus_ext.catalogue.embedders.endpoint import EndpointEmbedder
from stylus_ext.catalogue.embedders.local import SentenceTransformerEmbedder
from stylus_ext.catalogue.embedders.questions import NotingRetriever, QuestionEmbedder
from stylus_ext.core.ports import Embedder
from stylus_ext.core.settings import Encoder
from stylus_ext.net import Key

__all__ = [
    "EndpointEmbedder",
    "NotingRetriever",
    "QuestionEmbedder",
    "SentenceTransformerEmbedder",
    "embedder_for",
]


def embedder_for(encoder: Encoder, key: Key | None = None) -> Embedder:
    """Return the configured embedder; `key` is sent only to the origin it was entered for."""
    if encoder.endpoint:
        return EndpointEmbedder(encoder.endpoint, encoder.model, key, dimensions=encoder.dimensions)
    return SentenceTransformerEmbedder(
        encoder.model, device=encoder.device, threads=encoder.threads
    )
