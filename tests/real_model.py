"""The real default model, loaded once for the whole run of tests."""

from __future__ import annotations

from functools import cache

from stylus_ext.catalogue.embedders import SentenceTransformerEmbedder


@cache
def real_embedder() -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder()
