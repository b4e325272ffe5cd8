"""ChatRefiner: a card and pictures go to a model that may see; a description comes back, checked,
with what it cost.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock

from stylus_ext.backends.chat import (
    ChatBlind,
    ChatClient,
    ChatLate,
    ChatProblem,
    ChatRefused,
    ChatUnreadable,
    Question,
    Reply,
    picture_tokens,
)
from stylus_ext.backends.refiners.card import CardRefiner
from stylus_ext.backends.refiners.card import fingerprint as card_print
from stylus_ext.backends.refiners.chat_answer import description_of
from stylus_ext.backends.refiners.chat_pictures import Pictures, Shown
from stylus_ext.backends.refiners.chat_question import (
    SCHEMA,
    SYSTEM,
    VERSION,
    about_letters,
    user_text,
)
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.description import Description
from stylus_ext.core.refining import Check, Expense, NotRefined, Refined, Turn

logger = logging.getLogger(__name__)

_LETTERS_PER_TOKEN = 4
_TOKENS_OUT = 180
_MOST_TOKENS = 1000
_SHAPE_TOKENS = 220
"""Of the schema, which is sent too."""


class ChatRefiner:
    """Implements `CostlyRefiner`, and `Refiner` for whoever wants one card at once."""

    name = "chat"

    def __init__(self, client: ChatClient, pictures: Pictures, deadline_s: float = 60.0) -> None:
        self._client, self._pictures, self._deadline_s = client, pictures, deadline_s
        self._rules = CardRefiner()
        self._guard = Lock()
        self._sees = pictures.most > 0

    @property
    def source(self) -> str:
        return f"{self.name}:{self._client.endpoint.model}"

    def refine(self, card: AdapterCard) -> Description:
        return self.describe(card, lambda: None).description

    def fingerprint(self, card: AdapterCard) -> str:
        """Of what the question is made of; whose answer it was says `source`."""
        images = [example.image for example in card.examples]
        made_of = f"{VERSION}\0{card_print(card)}\0{card.base_model}\0{card.preview}\0{images}"
        return hashlib.sha256(made_of.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def estimate(self, card: AdapterCard) -> Expense:
        letters = len(SYSTEM) + about_letters(card)
        pictures = self._pictures.expected(card) if self._sees else 0
        tokens_in = (
            letters // _LETTERS_PER_TOKEN
            + _SHAPE_TOKENS
            + pictures * picture_tokens(self._client.endpoint.model)
        )
        price = self._client.endpoint.pays
        return Expense(
            tokens_in,
            _TOKENS_OUT,
            None if price is None else price.spent(tokens_in, _TOKENS_OUT).cost,
        )

    def describe(self, card: AdapterCard, check: Check, turn: Turn = nullcontext) -> Refined:
        shown = self._pictures.of(card, check) if self._sees else ()
        try:
            reply, spent = self._asked(card, shown, check, turn)
        except ChatBlind as problem:
            with self._guard:
                self._sees = False
            logger.warning(
                "%s cannot see; cards are refined by their texts alone: %s",
                self._client.name,
                problem,
            )
            reply, spent = self._asked(card, (), check, turn)
        try:
            description = description_of(
                reply.data, self._by_rule(card, reply), self.source, self.fingerprint(card)
            )
        except NotRefined as problem:
            raise NotRefined(str(problem), spent) from problem
        return Refined(description, spent)

    def _by_rule(self, card: AdapterCard, reply: Reply) -> Description:
        """The page is read only where the model left something open; title and tags always are."""
        answered = reply.data.get("weight") and reply.data.get("kind") != "unknown"
        return self._rules.refine(replace(card, text="") if answered else card)

    def release(self) -> None:
        self._client.release()

    def close(self) -> None:
        self._pictures.close()

    def _asked(
        self, card: AdapterCard, shown: tuple[Shown, ...], check: Check, turn: Turn
    ) -> tuple[Reply, Expense]:
        question = Question(
            SYSTEM,
            user_text(card, [one.prompt for one in shown]),
            tuple(one.data for one in shown),
            SCHEMA,
            "description",
            0,
            _MOST_TOKENS,
        )
        try:
            with turn():
                reply = self._client.ask(question, self._deadline_s, check)
        except ChatBlind:
            if shown:
                raise
            raise NotRefined(
                f"{self._client.name} speaks of images where there are none."
            ) from None
        except (ChatRefused, ChatUnreadable, ChatLate) as problem:
            raise NotRefined(str(problem), _spent(problem)) from problem
        return reply, Expense(reply.tokens_in, reply.tokens_out, reply.cost)


def _spent(problem: ChatProblem) -> Expense:
    return Expense(problem.spent.tokens_in, problem.spent.tokens_out, problem.spent.cost)
