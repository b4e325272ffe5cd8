"""ChatRefiner: a card and pictures go to a model that may see; a description comes back, checked,
with what it cost.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock
from typing import Any

from stylus_ext.catalogue.refine.llm_prompt import (
    LONGEST_TEXT,
    SCHEMA,
    SYSTEM,
    VERSION,
    CardImages,
    ShownImage,
    about_letters,
    user_text,
)
from stylus_ext.catalogue.refine.rules import HIGHEST, LOWEST, CardRefiner
from stylus_ext.catalogue.refine.rules import fingerprint as card_print
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.entry import KINDS, Description
from stylus_ext.core.refining import Check, Expense, NotRefined, Refined, Turn
from stylus_ext.llm import (
    ChatBlind,
    ChatClient,
    ChatLate,
    ChatProblem,
    ChatRefused,
    ChatRequest,
    ChatUnreadable,
    Reply,
    picture_tokens,
)

logger = logging.getLogger(__name__)


_SHORTEST = 12
_MOST_WEIGHT = 2.0
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_LINK = re.compile(
    r"https?:|www\.|\b[\w-]+\.(?:com|net|org|io|gg|ru|cn|app|ai|me|art|xyz)\b|@\w+", re.IGNORECASE
)
_MARKUP = re.compile(r"<[a-z!/][^<>]*>|<lora:|\]\(|```|[{}<>]", re.IGNORECASE)
_TRAINING = re.compile(
    r"\b(?:train(?:ed|ing)|dataset|epochs?|batch size|learning rate|optimi[sz]er|network"
    r" dim\w*|captioned|overfit\w*|regulari[sz]ation"
    r"|recommended (?:weight|strength|settings?)|safetensors|checkpoints?|civitai)\b",
    re.IGNORECASE,
)
_HYPE = re.compile(
    r"\b(?:amazing|awesome|stunning|breathtaking|incredibl[ey]|ultimate|fantastic|gorgeous|best(?:"
    r" ever)?|must[- ]have|state[- ]of[- ]the[- ]art"
    r"|perfect(?:ly)?|high[- ]quality|masterpiece)\b[ ,]*",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\s*\b(?:v|ver\.?|version)\s?\d+(?:\.\d+)*\b", re.IGNORECASE)
_ORDERS = re.compile(
    r"\b(?:ignor\w+|disregard\w*|forget\w*|override\w*)\b.{0,40}\b(?:rules?|instructions?|above|previous|prompts?|everything)\b"
    r"|\b(?:always|must|should|please)\s+(?:be\s+)?(?:choose|chosen|pick|picked|select|selected|use|used|include|included|prefer|preferred|rank|ranked)\b"
    r"|\b(?:choose|pick|select|prefer)\s+(?:me|this (?:one|adapter|lora))\b|\bsystem prompt\b|\bas"
    r" an? (?:ai|language model)\b"
    r"|^\W*i(?:'m| am) sorry\b|^\W*i can(?:no|')t\b",
    re.IGNORECASE,
)


def description_of(
    said: Mapping[str, Any], rules: Description, source: str, fingerprint: str
) -> Description:
    """`rules` is what the rules say of the same card, for what the model does not know;
    `NotRefined` where it said nothing usable.
    """
    kind = said.get("kind")
    if kind not in KINDS:
        raise NotRefined("The model named a kind that does not exist.")
    return replace(
        rules,
        text=_text(str(said.get("text", ""))),
        kind=kind if kind != "unknown" else rules.kind,
        source=source,
        fingerprint=fingerprint,
        weight=_weight(said.get("weight"), rules.weight),
        slider=bool(said.get("slider")),
        speed=bool(said.get("speed")) or rules.speed,
        utility=bool(said.get("utility")),
    )


def _text(said: str) -> str:
    """Sentences about anything but the picture go; a link, markup or an order anywhere refuses the
    whole.
    """
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in said).split())
    for pattern, why in ((_LINK, "a link"), (_MARKUP, "markup"), (_ORDERS, "instructions")):
        if pattern.search(text):
            raise NotRefined(f"The model's text has {why} in it.")
    kept = [sentence for sentence in _SENTENCE.split(text) if not _TRAINING.search(sentence)]
    text = _HYPE.sub("", _VERSION.sub("", " ".join(kept))).strip(" -*\"'")
    text = " ".join(text.split())
    if len(text) < _SHORTEST:
        raise NotRefined("The model's text says nothing of what the adapter draws.")
    if len(text) > LONGEST_TEXT:
        text = _cut(text)
    return text[0].upper() + text[1:]


def _cut(text: str) -> str:
    """Whole sentences, as far as they fit; one that is longer than all that is no description."""
    short = ""
    for sentence in _SENTENCE.split(text):
        if len(short) + 1 + len(sentence) > LONGEST_TEXT:
            break
        short = f"{short} {sentence}".strip()
    if len(short) < _SHORTEST:
        raise NotRefined("The model's text is one endless sentence.")
    return short


def _weight(said: Any, rules: float | None) -> float | None:
    """Nothing is said by 0; what nobody can use refuses the answer."""
    if not isinstance(said, (int, float)) or isinstance(said, bool) or said == 0:
        return rules
    if not 0 < said <= _MOST_WEIGHT:
        raise NotRefined("The model recommends a weight that nobody uses.")
    return round(min(HIGHEST, max(LOWEST, float(said))), 3)


_LETTERS_PER_TOKEN = 4
_TOKENS_OUT = 180
_MOST_TOKENS = 1000
_SHAPE_TOKENS = 220
"""Of the schema, which is sent too."""


class ChatRefiner:
    """Implements `CostlyRefiner`, and `Refiner` for whoever wants one card at once."""

    name = "chat"

    def __init__(self, client: ChatClient, pictures: CardImages, deadline_s: float = 60.0) -> None:
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
        self, card: AdapterCard, shown: tuple[ShownImage, ...], check: Check, turn: Turn
    ) -> tuple[Reply, Expense]:
        question = ChatRequest(
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
