"""How many tokens a text has: an encoder of this machine and a text go in, what its tokenizer
counts comes out.
"""

from __future__ import annotations

from stylus_ext.backends.embedders.sentence_transformer import SentenceTransformerEmbedder
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Embedder


def tokens_of(embedder: Embedder, text: str) -> int:
    if not isinstance(embedder, SentenceTransformerEmbedder):
        raise InvalidInput(
            "Tokens are counted with an encoder on this machine; leave out --endpoint."
        )
    return embedder.tokens(text)
