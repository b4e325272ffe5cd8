"""The one client of chat models: a question with a JSON schema goes in, an object of that schema
comes out, with what it cost.

client = ChatClient(ChatEndpoint("http://localhost:11434", "qwen3:8b")) reply =
client.ask(Question(system, user, schema=SCHEMA, schema_name="plan"), deadline_s=20.0, check=check)
reply.data["tasks"], reply.tokens_in, reply.tokens_out, reply.cost client.release()

`ask` may be called from several threads. It takes at most `deadline_s`, tries at most three times,
and calls `check` at least every tenth of a second. Errors, all of them `ChatProblem`s with what was
spent in vain: `ChatRefused` (the server or the model will not; `ChatBlind` where it cannot read
images), `ChatUnreadable` (no object of the schema came), `ChatUnavailable` (nobody answers) and
`ChatLate`.
"""

from __future__ import annotations

from stylus_ext.llm.connection import ChatClient
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
    "ChatUnavailable",
    "ChatUnreadable",
    "Place",
    "Price",
    "ChatRequest",
    "Reply",
    "Spent",
    "chat_key",
    "picture_tokens",
    "place_of",
    "price_of",
]
