"""What puts candidates in order anew: a cross-encoder on this machine, or a server with a rerank
route.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stylus_ext.backends.http import Key, KeyName
from stylus_ext.backends.rerankers.cross_encoder import CrossEncoderReranker
from stylus_ext.backends.rerankers.endpoint import EndpointReranker
from stylus_ext.core.settings import Reranking

__all__ = ["RERANK_KEY", "CrossEncoderReranker", "EndpointReranker", "reranker_for"]

RERANK_KEY = KeyName("reranker", "STYLUS_RERANK_KEY", "https://api.cohere.com")


def reranker_for(
    said: Reranking, device: str, find: Callable[[str], Path], key: Callable[[str], Key | None]
) -> CrossEncoderReranker | EndpointReranker | None:
    """`find` knows the folder of a model, `key` the key that was entered for an address. None where
    nothing is set.
    """
    if said.rerank_url:
        return EndpointReranker(
            said.rerank_url,
            said.rerank_model,
            lambda: key(said.rerank_url),
            said.rerank_most,
            said.rerank_deadline,
        )
    if said.rerank_model:
        return CrossEncoderReranker(
            lambda: find(said.rerank_model), device, said.rerank_most, said.rerank_deadline
        )
    return None
