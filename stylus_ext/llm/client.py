"""`LlmClient`: a request goes to a chat server, an answer that fits its schema comes back."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

from stylus_ext.core.errors import reason_of
from stylus_ext.llm.connection import Connection, load_openai
from stylus_ext.llm.dialect import ErrorStatus, ServerDialect, without_keys
from stylus_ext.llm.schema import LlmAnswer, Unusable, message_of, read, server_schema
from stylus_ext.llm.server import (
    OPENAI,
    LlmEndpoint,
    LlmProblem,
    LlmRefused,
    LlmRequest,
    LlmTimeout,
    LlmUnavailable,
    LlmUnreadable,
    Reply,
    Spent,
)
from stylus_ext.net import BadAnswer, Http, HttpRefusal, TimeLimits, Unreachable
from stylus_ext.net.waiting import Check, no_check, pause

logger = logging.getLogger(__name__)

A = TypeVar("A", bound=LlmAnswer)

RETRY = TimeLimits(first_pause_s=0.5, longest_pause_s=8.0, longest_retry_after_s=3600.0)
_RELEASE = TimeLimits(connect_s=1.0, stall_s=3.0, total_s=3.0, tries=1)
_MOST_CHANGES = 8
"""Requests refused for their form cost nothing and are no tries; this bounds them."""
_MORE_TOKENS = 3
_CHARACTERS_PER_TOKEN = 4
_SHORTEST_S = 0.005


class LlmClient:
    """May be used from several threads. What a server accepts is learned once and remembered.

    `ask` takes at most `deadline_s`, tries three times at most, and calls `check` at least every
    tenth of a second.
    """

    def __init__(self, endpoint: LlmEndpoint) -> None:
        self.endpoint = endpoint
        self.dialect = ServerDialect(
            limit="max_completion_tokens" if endpoint.origin == OPENAI else "max_tokens"
        )
        self._guard = Lock()
        self._connection: Connection | None = None
        self._native: Http | None = None
        self._can_release = endpoint.local

    @property
    def local(self) -> bool:
        return self.endpoint.local

    @property
    def name(self) -> str:
        return f"{self.endpoint.model} at {self.endpoint.base}"

    def ask(self, request: LlmRequest[A], deadline_s: float, check: Check = no_check) -> Reply[A]:
        """Raises a `LlmProblem`, or what `check` raises."""
        load_openai()
        began = time.perf_counter()
        run = _RetriedRequest(self, request, deadline_s, check)
        reply = run.reply()
        logger.info(
            "%s answered after %d tries in %.0f ms: %d tokens in, %d out.",
            self.endpoint.base,
            run.tries,
            1000 * (time.perf_counter() - began),
            reply.tokens_in,
            reply.tokens_out,
        )
        return reply

    def release(self) -> bool:
        """Have a local Ollama free the graphics memory; False where that is not possible."""
        if not self._can_release:
            return False
        with self._guard:
            self._native = self._native or Http(self.endpoint.key, limits=_RELEASE)
        try:
            # Ollama's own route, since it ignores `keep_alive` on /v1.
            self._native.json(
                f"{self.endpoint.base.removesuffix('/v1')}/api/generate",
                body={"model": self.endpoint.model, "keep_alive": 0, "stream": False},
            )
        except HttpRefusal as problem:
            self._can_release = False
            logger.debug("%s does not free memory: %s", self.endpoint.base, problem)
            return False
        except (Unreachable, BadAnswer) as problem:
            logger.info("%s was not freed: %s", self.endpoint.model, problem)
            return False
        logger.info("%s left the memory of %s.", self.endpoint.model, self.endpoint.origin)
        return True

    def connected(self) -> Connection:
        with self._guard:
            if self._connection is None:
                self._connection = Connection(self.endpoint.base, self.endpoint.key)
            return self._connection

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._guard:
            connection, self._connection = self._connection, None
            native, self._native = self._native, None
        if native is not None:
            native.close()
        if connection is not None:
            connection.close()


@dataclass(slots=True)
class _RetriedRequest(Generic[A]):
    """One request with its tries."""

    client: LlmClient
    request: LlmRequest[A]
    deadline_s: float
    check: Check
    tries: int = 0
    changes: int = 0
    spent: Spent = Spent()
    complaint: str = ""
    dialect: ServerDialect = field(init=False)
    max_tokens: int = field(init=False)
    until: float = field(init=False)

    def __post_init__(self) -> None:
        self.dialect = self.client.dialect
        self.max_tokens = self.request.max_tokens
        self.until = time.monotonic() + self.deadline_s

    def reply(self) -> Reply[A]:
        while True:
            try:
                body = self._send()
                reply = None if body is None else self._read(body)
            except LlmProblem as problem:
                problem.spent = self.spent
                raise
            if reply is not None:
                return reply

    def _check(self) -> None:
        """The check of every wait; neither httpx nor openai has a deadline for all of a request."""
        self.check()
        if time.monotonic() > self.until:
            raise LlmTimeout(
                f"The chat server at {self.client.endpoint.base} did not answer within"
                f" {self.deadline_s:.3g} s."
            )

    def _send(self) -> bytes | None:
        """The body of the response; None when a changed or repeated request is to be sent."""
        from openai import APIConnectionError, APIStatusError, OpenAIError

        self._check()
        endpoint = self.client.endpoint
        body = self.dialect.body(
            endpoint.model, endpoint.temperature, self.request, self.max_tokens, self.complaint
        )
        try:
            return self.client.connected().complete(
                body, max(_SHORTEST_S, self.until - time.monotonic()), self._check
            )
        except APIStatusError as problem:
            self._after(ErrorStatus.of(problem.response, endpoint.key))
        except APIConnectionError as problem:
            self._check()
            self._wait_for_retry(
                f"cannot be reached ({reason_of(problem.__cause__ or problem)}). Check that it"
                " runs, or empty the setting chat.chat_url"
            )
        except (BadAnswer, OpenAIError, ValueError, TypeError) as problem:
            self._wait_for_retry(f"did not answer like a chat server: {reason_of(problem)}")
        return None

    def _after(self, refusal: ErrorStatus) -> None:
        """Change the form of the request, wait, or give up."""
        endpoint = self.client.endpoint
        if refusal.is_passing:
            self._wait_for_retry(refusal.sentence(endpoint.model), refusal.retry_after)
            return
        changed = None
        if refusal.about_form:
            changed = self.dialect.after(refusal.message, images=bool(self.request.images))
        self.changes += 1
        if changed is None or self.changes > _MOST_CHANGES:
            raise refusal.problem(endpoint, with_images=bool(self.request.images))
        logger.info("%s refused the form of the request; trying another.", endpoint.base)
        self.dialect = changed

    def _wait_for_retry(self, why: str, retry_after: float | None = None) -> None:
        self.tries += 1
        left_s = self.until - time.monotonic()
        seconds = RETRY.pause_before_retry(self.tries, retry_after, left_s)
        if seconds is None:
            raise LlmUnavailable(f"The chat server at {self.client.endpoint.base} {why}.")
        logger.info(
            "%s: try %d failed, again in %.1f s.", self.client.endpoint.base, self.tries, seconds
        )
        pause(seconds, self._check)

    def _read(self, body: bytes) -> Reply[A] | None:
        """None when the answer cannot be used and is asked for again."""
        self.tries += 1
        try:
            message = message_of(body)
            self._count(message.tokens or self._estimate(sum(map(len, message.texts))))
            answer, dropped = read(message, self.request.schema)
        except Unusable as problem:
            self._repair(problem)
            return None
        self.client.dialect = self.dialect
        if dropped:
            logger.info("%s added unknown fields: %r", self.client.endpoint.base, dropped)
        return Reply(answer, self.spent.tokens_in, self.spent.tokens_out, self.spent.cost, dropped)

    def _repair(self, problem: Unusable) -> None:
        """Change what the next try asks for, or give up."""
        endpoint = self.client.endpoint
        why = reason_of(without_keys(str(problem), endpoint.key))  # may be the server's words
        if problem.fault == "refusal":
            raise LlmRefused(f"The model {endpoint.model} refused to answer: {why}.")
        if self.tries >= RETRY.tries:
            raise LlmUnreadable(f"The model {endpoint.model} gave no usable answer: {why}.")
        logger.info("%s: try %d cannot be used: %s.", endpoint.base, self.tries, problem.fault)
        if problem.fault in ("cut", "empty"):  # a model that thinks aloud used the tokens up
            self.max_tokens *= _MORE_TOKENS
        if problem.fault in ("empty", "unreadable"):
            self.dialect = self.dialect.stricter()
            self.complaint = str(problem)
        if problem.fault == "server":
            left_s = max(0.0, self.until - time.monotonic())
            pause(min(RETRY.pause_before_retry(self.tries) or 0.0, left_s), self._check)

    def _estimate(self, letters_out: int) -> tuple[int, int]:
        request = self.request
        schema = len(json.dumps(server_schema(request.schema)))
        letters_in = len(request.system) + len(request.user) + schema
        return letters_in // _CHARACTERS_PER_TOKEN, letters_out // _CHARACTERS_PER_TOKEN

    def _count(self, tokens: tuple[int, int]) -> None:
        price = self.client.endpoint.pays
        self.spent += price.spent(*tokens) if price is not None else Spent(*tokens, cost=None)
