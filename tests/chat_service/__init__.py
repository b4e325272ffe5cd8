"""A small real server on 127.0.0.1 that speaks OpenAI's chat protocol, and misbehaves in every way
that is known of such servers.
"""

from __future__ import annotations

from tests.chat_service.answers import completion, says
from tests.chat_service.server import Asked, ChatService, Sent, Step, serving

__all__ = ["Asked", "ChatService", "Sent", "Step", "completion", "says", "serving"]
