"""The client of OpenAI-compatible chat servers: a request with a schema in, an answer out.

    class Words(LlmAnswer):
        words: ListOf[Text]

    client = ChatClient(ChatEndpoint("http://localhost:11434", "qwen3:8b"))
    reply = client.ask(ChatRequest(system, user, Words), deadline_s=20.0, check=check)
    reply.answer.words, reply.tokens_in, reply.tokens_out, reply.cost
    client.release()

Errors are `ChatProblem`s, with what was spent in vain: `ChatRefused` (the server or the model
refuses; `ChatBlind` if it cannot read images), `ChatUnreadable` (no answer of the schema),
`ChatUnavailable` (the server does not answer) and `ChatLate`.
"""

from __future__ import annotations

from stylus_ext.llm.client import ChatClient
from stylus_ext.llm.schema import LlmAnswer
from stylus_ext.llm.server import (
    ChatBlind,
    ChatEndpoint,
    ChatLate,
    ChatProblem,
    ChatRefused,
    ChatRequest,
    ChatUnavailable,
    ChatUnreadable,
    Place,
    Price,
    Reply,
    Spent,
    chat_key,
    picture_tokens,
    place_of,
    price_of,
)

__all__ = [
    "ChatBlind",
    "ChatClient",
    "ChatEndpoint",
    "ChatLate",
    "ChatProblem",
    "ChatRefused",
    "ChatRequest",
    "ChatUnavailable",
    "ChatUnreadable",
    "LlmAnswer",
    "Place",
    "Price",
    "Reply",
    "Spent",
    "chat_key",
    "picture_tokens",
    "place_of",
    "price_of",
]
