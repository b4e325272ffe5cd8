"""What is wired to a reranker and to the keys of encoders: settings and a data folder go in; the reranker, if one is set, comes out."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from stylus_ext.backends.chat.endpoint import OPENAI, place_of
from stylus_ext.backends.embedders.model_files import model_files
from stylus_ext.backends.http import key_for, origin_of
from stylus_ext.backends.rerankers import RERANK_KEY, reranker_for
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import Reranker
from stylus_ext.core.settings import Encoder, Reranking, Settings

logger = logging.getLogger(__name__)

EMBEDDING_PRICES = {
    "text-embedding-3-large": 0.13, "text-embedding-3-small": 0.02, "text-embedding-ada-002": 0.10, "gemini-embedding-001": 0.15,
}
"""US dollars per million tokens, as their makers published them as of August 2025."""
_TOKENS_PER_ENTRY = 180  # both texts of a card that are embedded, of the usual length
ENCODER_KEY = "STYLUS_ENCODER_KEY"  # the key of the embeddings endpoint; it goes nowhere else
OPENAI_KEY = "OPENAI_API_KEY"  # the key that OpenAI's own tools read; it goes to OpenAI alone


def reranker_of(folder: Path, settings: Settings) -> Reranker | None:
    return reranker_for(
        settings.reranking, settings.encoder.device, lambda model: model_files(model).folder, lambda url: key_for(folder, url, RERANK_KEY)
    )


def reranks_for_free(said: Reranking) -> bool:
    """On a machine of one's own; an address that cannot be used costs nothing either."""
    try:
        return not said.rerank_url or place_of(origin_of(said.rerank_url)) != "elsewhere"
    except InvalidInput:
        return True


def encoder_key(encoder: Encoder) -> str:
    """What was entered for embeddings, for the address that was entered with it if one was; OpenAI's own only for OpenAI."""
    try:
        origin = origin_of(encoder.endpoint) if encoder.endpoint else ""
    except InvalidInput:  # the encoder itself says what is wrong with its address
        return ""
    stated, bound = os.environ.get(ENCODER_KEY, ""), os.environ.get(f"{ENCODER_KEY}_ORIGIN", "")
    if stated and bound and origin_of(bound) != origin:
        logger.warning("The key in %s was entered for %s and is not sent to %s.", ENCODER_KEY, origin_of(bound), origin)
        return ""
    return stated or (os.environ.get(OPENAI_KEY, "") if origin == OPENAI else "")


def embedding_cost(encoder: Encoder) -> str:
    """What a server that is somebody else's takes for it, as far as its list price is known."""
    if not encoder.endpoint or place_of(encoder.endpoint) != "elsewhere":
        return ""
    price = next((price for name, price in EMBEDDING_PRICES.items() if encoder.model.rpartition("/")[2] == name), None)
    if price is None:
        return ", at its price, which Stylus does not know"
    return f", at about ${price:g} for a million tokens (${_TOKENS_PER_ENTRY * 1000 * price / 1e6:.2f} for 1,000 adapters)"
