"""What turns text into vectors: a sentence-transformers model on this machine, or an
OpenAI-compatible endpoint.
"""

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
    """`key` is the one entered for the endpoint's origin; it goes nowhere else."""
    if encoder.endpoint:
        return EndpointEmbedder(encoder.endpoint, encoder.model, key, dimensions=encoder.dimensions)
    return SentenceTransformerEmbedder(
        encoder.model, device=encoder.device, threads=encoder.threads
    )
