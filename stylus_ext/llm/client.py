"""One question with its tries: what the server said decides whether it is asked again, and how."""

from __future__ import annotations

import json
import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

from stylus_ext.llm.dialect import (
    ChatRefusal,
    ServerDialect,
    is_passing,
    refused,
    sentence,
    without_keys,
)
from stylus_ext.llm.reply import Unusable, answered, read
from stylus_ext.llm.server import (
    ChatEndpoint,
    ChatLate,
    ChatProblem,
    ChatRefused,
    ChatRequest,
    ChatUnavailable,
    ChatUnreadable,
    Reply,
    Spent,
)
from stylus_ext.net import BadAnswer
from stylus_ext.net.waiting import Check, pause

if TYPE_CHECKING:
    from stylus_ext.llm.connection import Connection

logger = logging.getLogger(__name__)


TRIES = 3
_MOST_CHANGES = 8
"""Requests that are refused for their form cost the server nothing and are no tries; this many
different forms there are.
"""
_MORE_TOKENS = 3
_CHARACTERS_A_TOKEN = 4
_SHORTEST_S = 0.005


class ChatTransport(Protocol):
    """What asking needs of the client."""

    endpoint: ChatEndpoint
    manners: ServerDialect

    def learned(self, manners: ServerDialect) -> None: ...

    def connected(self) -> Connection: ...


@dataclass(slots=True)
class Asking:
    client: ChatTransport
    question: ChatRequest
    deadline_s: float
    check: Check
    tries: int = 0
    spent: Spent = Spent()
    manners: ServerDialect = field(init=False)
    max_tokens: int = field(init=False)
    again: str = ""
    until: float = field(init=False)
    changes: int = 0

    def __post_init__(self) -> None:
        self.manners = self.client.manners
        self.max_tokens = self.question.max_tokens
        self.until = time.monotonic() + self.deadline_s

    def reply(self) -> Reply:
        while True:
            try:
                body = self._sent()
                reply = None if body is None else self._read(body)
            except ChatProblem as problem:
                problem.spent = self.spent
                raise
            if reply is not None:
                return reply

    def _late(self) -> None:
        """The check of every wait."""
        self.check()
        if time.monotonic() > self.until:
            raise ChatLate(
                f"The chat server at {self.client.endpoint.base} did not answer within"
                f" {self.deadline_s:.3g} s."
            )

    def _sent(self) -> bytes | None:
        """None when it has to be asked anew: a pause was made, or the form changed."""
        from openai import APIConnectionError, APIStatusError, OpenAIError

        self._late()
        endpoint = self.client.endpoint
        body = self.manners.body(
            endpoint.model, endpoint.temperature, self.question, self.max_tokens, self.again
        )
        try:
            return self.client.connected().chat(
                body, max(_SHORTEST_S, self.until - time.monotonic()), self._late
            )
        except APIStatusError as problem:
            self._after(
                refused(
                    problem.status_code,
                    problem.response.headers,
                    problem.response.content,
                    endpoint.key,
                )
            )
        except APIConnectionError as problem:
            self._late()
            self._once_more(
                f"cannot be reached ({problem.__cause__ or problem}). Check that it runs, or empty"
                " the setting chat.chat_url"
            )
        except (BadAnswer, OpenAIError, ValueError, TypeError) as problem:
            self._once_more(f"did not answer like a chat server: {problem}")
        return None

    def _after(self, refusal: ChatRefusal) -> None:
        """Another form, a pause, or the end."""
        if is_passing(refusal):
            self._once_more(sentence(refusal, self.client.endpoint.model), refusal.retry_after)
            return
        changed = (
            self.manners.after(refusal.said, images=bool(self.question.images))
            if refusal.about_form
            else None
        )
        self.changes += 1
        if changed is None or self.changes > _MOST_CHANGES:
            blind = bool(self.question.images) and self.manners.mean_images(refusal.said)
            raise refusal.problem(self.client.endpoint, blind=blind)
        logger.info(
            "%s refused the form of the request; asked in another one.", self.client.endpoint.base
        )
        self.manners = changed

    def _once_more(self, why: str, wanted: float | None = None) -> None:
        """Pauses, unless there is no try or no time left."""
        self.tries += 1
        seconds = _back_off(self.tries) if wanted is None else wanted
        if self.tries >= TRIES or seconds >= self.until - time.monotonic():
            raise ChatUnavailable(f"The chat server at {self.client.endpoint.base} {why}.")
        logger.info(
            "%s: try %d failed, again in %.1f s.", self.client.endpoint.base, self.tries, seconds
        )
        pause(seconds, self._late)

    def _read(self, body: bytes) -> Reply | None:
        """None when it cannot be used and is asked for anew."""
        self.tries += 1
        try:
            answer = answered(body)
            said = sum(map(len, answer.texts))
            self._count(
                answer.tokens
                or (self._length() // _CHARACTERS_A_TOKEN, said // _CHARACTERS_A_TOKEN)
            )
            data, dropped = read(answer, self.question.schema or {"type": "object"})
        except Unusable as problem:
            self._mend(problem)
            return None
        if self.manners != self.client.manners:
            self.client.learned(self.manners)
        if dropped:
            logger.info(
                "%s added %s, which was dropped.",
                self.client.endpoint.base,
                ", ".join(map(repr, dropped)),
            )
        return Reply(data, self.spent.tokens_in, self.spent.tokens_out, self.spent.cost, dropped)

    def _mend(self, problem: Unusable) -> None:
        """What to change before the next try."""
        if problem.fault == "refusal":
            raise ChatRefused(
                f"The model {self.client.endpoint.model} refused to answer:"
                f" {self._plainly(problem)}."
            )
        if self.tries >= TRIES:
            self._give_up(problem)
        logger.info(
            "%s: try %d cannot be used: %s.", self.client.endpoint.base, self.tries, problem.fault
        )
        if problem.fault in ("cut", "empty"):  # a model that thinks aloud used them up
            self.max_tokens *= _MORE_TOKENS
        if problem.fault in ("empty", "unreadable"):
            self.manners = self.manners.stricter()
            self.again = str(problem)
        if problem.fault == "server":
            pause(min(_back_off(self.tries), max(0.0, self.until - time.monotonic())), self._late)

    def _give_up(self, problem: Unusable) -> NoReturn:
        raise ChatUnreadable(
            f"The model {self.client.endpoint.model} did not answer as it was asked to:"
            f" {self._plainly(problem)}."
        )

    def _plainly(self, problem: Unusable) -> str:
        """Its words may be the server's."""
        return without_keys(str(problem), self.client.endpoint.key)

    def _length(self) -> int:
        schema = 0 if self.question.schema is None else len(json.dumps(self.question.schema))
        return len(self.question.system) + len(self.question.user) + schema

    def _count(self, tokens: tuple[int, int]) -> None:
        price = self.client.endpoint.pays
        self.spent += price.spent(*tokens) if price is not None else Spent(*tokens, cost=None)


def _back_off(attempt: int) -> float:
    return float(min(8.0, 0.5 * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25))  # noqa: S311
