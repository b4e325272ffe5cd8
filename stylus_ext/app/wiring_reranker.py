"""What is wired to a reranker and to the keys of encoders: settings and a data folder go in; the
reranker, if one is set, comes out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.backends.chat.endpoint import OPENAI, OPENAI_KEY, place_of
from stylus_ext.backends.embedders.model_files import model_files
from stylus_ext.backends.http import Key, KeyName, key_for, origin_of, shown
from stylus_ext.backends.rerankers import RERANK_KEY, reranker_for
from stylus_ext.core.candidates import Candidates
from stylus_ext.core.errors import InvalidInput, Unavailable
from stylus_ext.core.ports import Query, Reranker
from stylus_ext.core.settings import Encoder, Reranking, Settings

logger = logging.getLogger(__name__)

EMBEDDING_PRICES = {
    "text-embedding-3-large": 0.13,
    "text-embedding-3-small": 0.02,
    "text-embedding-ada-002": 0.10,
    "gemini-embedding-001": 0.15,
}
"""US dollars per million tokens, as their makers published them as of August 2025."""
_TOKENS_PER_ENTRY = 180  # both texts of a card that are embedded, of the usual length
ENCODER_KEY = KeyName("encoder", "STYLUS_ENCODER_KEY", OPENAI)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """In place of a `Reranker` whose address cannot be used: plans go on, and say why they are not
    in its order.
    """

    why: str

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:  # noqa: ARG002
        raise Unavailable(self.why)


def reranker_of(folder: Path, settings: Settings) -> Reranker | None:
    try:
        return reranker_for(
            settings.reranking,
            settings.encoder.device,
            lambda model: model_files(model).folder,
            lambda url: key_for(folder, url, RERANK_KEY),
        )
    except InvalidInput as problem:
        return Unreachable(f"reranking.rerank_url cannot be used. {problem}")


def reranker_address(said: Reranking) -> str:
    """As it may be shown to whoever asks."""
    return shown(said.rerank_url) if said.rerank_url else ""


def reranks_for_free(said: Reranking) -> bool:
    """On a machine of one's own; an address that cannot be used costs nothing either."""
    try:
        return not said.rerank_url or place_of(origin_of(said.rerank_url)) != "elsewhere"
    except InvalidInput:
        return True


def encoder_key(folder: Path, encoder: Encoder) -> Key | None:
    """What was entered for embeddings, for the address that was entered with it; OpenAI's own only
    for OpenAI.
    """
    if not encoder.endpoint:
        return None
    try:
        found = key_for(folder, encoder.endpoint, ENCODER_KEY)
        return found or (
            key_for(folder, encoder.endpoint, OPENAI_KEY)
            if origin_of(encoder.endpoint) == OPENAI
            else None
        )
    except InvalidInput as problem:  # the encoder itself says what is wrong with its address
        logger.warning("The embeddings server is asked without a key: %s", problem)
        return None


def embedding_cost(encoder: Encoder) -> str:
    """What a server that is somebody else's takes for it, as far as its list price is known."""
    if not encoder.endpoint or place_of(encoder.endpoint) != "elsewhere":
        return ""
    price = next(
        (
            price
            for name, price in EMBEDDING_PRICES.items()
            if encoder.model.rpartition("/")[2] == name
        ),
        None,
    )
    if price is None:
        return ", at its price, which Stylus does not know"
    return (
        f", at about ${price:g} for a million tokens (${_TOKENS_PER_ENTRY * 1000 * price / 1e6:.2f}"
        " for 1,000 adapters)"
    )
