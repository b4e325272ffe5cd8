"""`ChatClient`: a question goes in, a `Reply` that fits its schema comes out, in the time that was
given and three tries.
"""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import TYPE_CHECKING

from stylus_ext.backends.chat.asking import Asking
from stylus_ext.backends.chat.endpoint import OPENAI, ChatEndpoint
from stylus_ext.backends.chat.manners import Manners
from stylus_ext.backends.chat.question import Question, Reply
from stylus_ext.backends.chat.release import LIMITS, release
from stylus_ext.backends.http import Http
from stylus_ext.backends.http.answers import Check, free

if TYPE_CHECKING:
    from stylus_ext.backends.chat.connection import Connection

logger = logging.getLogger(__name__)


class ChatClient:
    """May be used from several threads. What a server accepts is learned once and remembered."""

    def __init__(self, endpoint: ChatEndpoint) -> None:
        self.endpoint = endpoint
        self.manners = Manners(
            limit="max_completion_tokens" if endpoint.origin == OPENAI else "max_tokens"
        )
        self._guard = Lock()
        self._connection: Connection | None = None
        self._native: Http | None = None
        self._releases = True

    @property
    def local(self) -> bool:
        return self.endpoint.local

    @property
    def name(self) -> str:
        return f"{self.endpoint.model} at {self.endpoint.base}"

    def ask(self, question: Question, deadline_s: float, check: Check = free) -> Reply:
        """Raises a `ChatProblem`, or what `check` raises."""
        began = time.perf_counter()
        asking = Asking(self, question, deadline_s, check)
        reply = asking.reply()
        logger.info(
            "%s answered after %d tries in %.0f ms: %d tokens in, %d out.",
            self.endpoint.base,
            asking.tries,
            1000 * (time.perf_counter() - began),
            reply.tokens_in,
            reply.tokens_out,
        )
        return reply

    def release(self) -> bool:
        """Has the server free the memory of the picture's card, where it is one of one's own that
        knows how; whether it did.
        """
        if not self.local or not self._releases:
            return False
        with self._guard:
            self._native = self._native or Http(self.endpoint.key, limits=LIMITS)
        freed = release(self.endpoint, self._native)
        self._releases = freed is not None
        return bool(freed)

    def learned(self, manners: Manners) -> None:
        with self._guard:
            self.manners = manners

    def connected(self) -> Connection:
        with self._guard:
            if self._connection is None:
                from stylus_ext.backends.chat.connection import Connection

                self._connection = Connection(self.endpoint.base, self.endpoint.key)
            return self._connection

    def close(self) -> None:
        with self._guard:
            connection, self._connection = self._connection, None
            native, self._native = self._native, None
        if native is not None:
            native.close()
        if connection is not None:
            connection.close()
