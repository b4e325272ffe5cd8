"""Answers as chat servers give them, well formed and otherwise."""

from __future__ import annotations

import json
from typing import Any

from tests.chat_service.server import Sent, Step


def completion(
    message: Any, finish: str | None = "stop", usage: Any = (100, 20), **extra: Any
) -> bytes:
    """The body of an answer; `message` is its text, or the whole message."""
    told = (
        {"role": "assistant", "content": message}
        if isinstance(message, (str, type(None), list))
        else message
    )
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": told, "finish_reason": finish}],
        **extra,
    }
    if isinstance(usage, tuple):
        body["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
    elif usage is not None:
        body["usage"] = usage
    return json.dumps(body).encode()


def says(message: Any, finish: str | None = "stop", **rest: Any) -> Step:
    """A step that answers so, whatever is asked; an object is answered as JSON."""
    text = (
        json.dumps(message)
        if isinstance(message, dict) and "content" not in message and "refusal" not in message
        else message
    )
    return lambda _: Sent(completion(text, finish, **rest))


def status(
    number: int, message: str = "as the test wants it", retry_after: str | None = "0", **more: Any
) -> Step:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda _: Sent(
        json.dumps({"error": {"message": message, **more}}).encode(), number, headers
    )
