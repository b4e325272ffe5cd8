"""Refiner that asks a language model, which may see pictures, and checks its answer."""

from __future__ import annotations

import hashlib
import logging
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock
from typing import Any

from stylus_ext.catalogue.refine.checks import checked_text
from stylus_ext.catalogue.refine.llm_prompt import (
    SYSTEM,
    VERSION,
    CardImages,
    DescriptionAnswer,
    ShownImage,
    estimate_letters,
    user_text,
)
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refine.rules import fingerprint as card_fingerprint
from stylus_ext.catalogue.refine.text import plain_lines
from stylus_ext.catalogue.refine.weights import MAX_WEIGHT, MIN_WEIGHT, weight_of
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.entry import Description
from stylus_ext.core.refining import Check, Expense, NotRefined, Refined, Turn
from stylus_ext.llm import (
    LlmClient,
    LlmNoVision,
    LlmProblem,
    LlmRefused,
    LlmRequest,
    LlmTimeout,
    LlmUnreadable,
    Reply,
    picture_tokens,
)

logger = logging.getLogger(__name__)

_MAX_WEIGHT = 2.0
_CARD_VERSION = 1
"""Fixed: new rules must not make anybody pay again for a description by a model."""


def description_of(
    answer: DescriptionAnswer, by_rules: Description, source: str, fingerprint: str
) -> Description:
    """The checked description; `by_rules` fills what the model does not know.

    Raises `NotRefined` for an unusable answer.
    """
    return replace(
        by_rules,
        text=checked_text(answer.text),
        kind=answer.kind if answer.kind != "unknown" else by_rules.kind,
        source=source,
        fingerprint=fingerprint,
        weight=_check_weight(answer.weight, by_rules.weight),
        slider=answer.slider,
        speed=answer.speed or by_rules.speed,
        utility=answer.utility,
    )


def _check_weight(answer: Any, by_rules: float | None) -> float | None:
    """0 or no number means unknown; an unusable weight refuses the answer."""
    if not isinstance(answer, (int, float)) or isinstance(answer, bool) or answer == 0:
        return by_rules
    if not 0 < answer <= _MAX_WEIGHT:
        raise NotRefined("The model recommends an unusable weight.")
    return round(min(MAX_WEIGHT, max(MIN_WEIGHT, float(answer))), 3)


_LETTERS_PER_TOKEN = 4
_TOKENS_OUT = 180
_MAX_TOKENS = 1000
_SCHEMA_TOKENS = 220


class LlmRefiner:
    """Implements `CostlyRefiner`, and `Refiner` for a single card."""

    name = "chat"

    def __init__(self, client: LlmClient, pictures: CardImages, deadline_s: float = 60.0) -> None:
        self._client, self._pictures, self._deadline_s = client, pictures, deadline_s
        self._rules = CardRefiner()
        self._lock = Lock()
        self._sees_pictures = pictures.limit > 0

    @property
    def source(self) -> str:
        return f"{self.name}:{self._client.endpoint.model}"

    def refine(self, card: AdapterCard) -> Description:
        return self.describe(card, lambda: None).description

    def fingerprint(self, card: AdapterCard) -> str:
        """A hash of what the prompt is made of; the model is in `source`."""
        images = [example.image for example in card.examples]
        stated = card_fingerprint(card, _CARD_VERSION)
        parts = f"{VERSION}\0{stated}\0{card.base_model}\0{card.preview}\0{images}"
        return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def estimate(self, card: AdapterCard) -> Expense:
        letters = len(SYSTEM) + estimate_letters(card)
        pictures = self._pictures.expected(card) if self._sees_pictures else 0
        tokens_in = (
            letters // _LETTERS_PER_TOKEN
            + _SCHEMA_TOKENS
            + pictures * picture_tokens(self._client.endpoint.model)
        )
        price = self._client.endpoint.pays
        cost = None if price is None else price.spent(tokens_in, _TOKENS_OUT).cost
        return Expense(tokens_in, _TOKENS_OUT, cost)

    def describe(self, card: AdapterCard, check: Check, turn: Turn = nullcontext) -> Refined:
        images = self._pictures.of(card, check) if self._sees_pictures else ()
        try:
            reply, expense = self._ask(card, images, check, turn)
        except LlmNoVision as error:
            with self._lock:
                self._sees_pictures = False
            logger.warning(
                "%s cannot see pictures; cards are refined by their texts alone: %s",
                self._client.name,
                error,
            )
            reply, expense = self._ask(card, (), check, turn)
        try:
            description = description_of(
                reply.answer, self._by_rules(card, reply), self.source, self.fingerprint(card)
            )
        except NotRefined as error:
            raise NotRefined(str(error), expense) from error
        return Refined(description, expense)

    def release(self) -> None:
        self._client.release()

    def close(self) -> None:
        self._pictures.close()

    def _by_rules(self, card: AdapterCard, reply: Reply[DescriptionAnswer]) -> Description:
        """Of the page's text only the range of weights is read, unless the model left the weight
        or the kind open.
        """
        if not reply.answer.weight or reply.answer.kind == "unknown":
            return self._rules.refine(card)
        weight = weight_of(card, "\n".join(plain_lines(card.text)), reply.answer.slider)
        rules = self._rules.refine(replace(card, text=""))
        if weight is None:
            return rules
        return replace(rules, min_weight=weight.least, max_weight=weight.most)

    def _ask(
        self, card: AdapterCard, images: tuple[ShownImage, ...], check: Check, turn: Turn
    ) -> tuple[Reply[DescriptionAnswer], Expense]:
        request = LlmRequest(
            SYSTEM,
            user_text(card, [image.prompt for image in images]),
            DescriptionAnswer,
            tuple(image.data for image in images),
            seed=0,
            max_tokens=_MAX_TOKENS,
        )
        try:
            with turn():
                reply = self._client.ask(request, self._deadline_s, check)
        except LlmNoVision:
            if images:
                raise
            raise NotRefined(f"{self._client.name} refused pictures that were not sent.") from None
        except (LlmRefused, LlmUnreadable, LlmTimeout) as error:
            raise NotRefined(str(error), _expense(error)) from error
        return reply, Expense(reply.tokens_in, reply.tokens_out, reply.cost)


def _expense(error: LlmProblem) -> Expense:
    return Expense(error.spent.tokens_in, error.spent.tokens_out, error.spent.cost)
