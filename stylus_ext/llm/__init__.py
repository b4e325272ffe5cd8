"""The client of OpenAI-compatible chat servers: a request with a schema in, an answer out.

    class Words(LlmAnswer):
        words: ListOf[Text]

    client = LlmClient(LlmEndpoint("http://localhost:11434", "qwen3:8b"))
    reply = client.ask(LlmRequest(system, user, Words), deadline_s=20.0, check=check)
    reply.answer.words, reply.tokens_in, reply.tokens_out, reply.cost
    client.release()

Errors are `LlmProblem`s, with what was spent in vain: `LlmRefused` (the server or the model
refuses; `LlmNoVision` if it cannot read images), `LlmUnreadable` (no answer of the schema),
`LlmUnavailable` (the server does not answer) and `LlmTimeout`.
"""

from __future__ import annotations

from stylus_ext.llm.client import LlmClient
from stylus_ext.llm.connection import load_openai
from stylus_ext.llm.schema import LlmAnswer
from stylus_ext.llm.server import (
    LlmEndpoint,
    LlmNoVision,
    LlmProblem,
    LlmRefused,
    LlmRequest,
    LlmTimeout,
    LlmUnavailable,
    LlmUnreadable,
    Place,
    Price,
    Reply,
    Spent,
    llm_key,
    picture_tokens,
    place_of,
    price_of,
)

__all__ = [
    "LlmNoVision",
    "LlmClient",
    "LlmEndpoint",
    "LlmTimeout",
    "LlmProblem",
    "LlmRefused",
    "LlmRequest",
    "LlmUnavailable",
    "LlmUnreadable",
    "LlmAnswer",
    "Place",
    "Price",
    "Reply",
    "Spent",
    "llm_key",
    "load_openai",
    "picture_tokens",
    "place_of",
    "price_of",
]
