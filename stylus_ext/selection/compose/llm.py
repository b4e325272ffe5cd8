"""ChatComposer: candidates in, a composition out, by asking a language model once; where that
fails, by the rules, with a note why.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import ValidationError

from stylus_ext.core.composition import Candidates, Composition
from stylus_ext.core.errors import Note
from stylus_ext.core.ports import Query
from stylus_ext.llm import ChatClient, ChatLate, ChatProblem, ChatRequest
from stylus_ext.llm.injection_guard import fenced
from stylus_ext.llm.schema import LlmAnswer, server_schema
from stylus_ext.selection.compose.llm_prompt import (
    CompositionAnswer,
    PruningAnswer,
    ShownCards,
    asked,
    listed,
    rules,
    shown,
    stricter,
)
from stylus_ext.selection.compose.llm_reply import Choice, prune, read_choice
from stylus_ext.selection.compose.llm_work import Answers, ChatWork, key_of
from stylus_ext.selection.compose.rules import RuleComposer
from stylus_ext.selection.compose.tasks import UserAdapters

logger = logging.getLogger(__name__)

A = TypeVar("A", bound=LlmAnswer)


FAILED = "chat_failed"
"""The code of the note that the rules composed instead; such a plan is not remembered."""

_RESERVE_S = 0.3
"""Of a plan's time, for the rules and for the tags, after a model that did not answer."""

_TOO_SHORT_S = 0.3
_FREE_S = 1.0
_TOKENS, _TOKENS_OF_PRUNING = 900, 400


@dataclass(frozen=True, slots=True)
class ChatRules:
    """How it is asked; `deadline_s` is for one composition, within what the plan has left."""

    deadline_s: float = 20.0
    cards: int = 24
    twice: bool = False
    release: bool = True


class ChatComposer:
    """Implements `Composer`."""

    name = "chat"

    def __init__(
        self, client: ChatClient, rules: ChatRules = ChatRules(), answers: Answers | None = None
    ) -> None:
        self._client = client
        self._rules = rules
        self._answers = answers or Answers()

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        cards = shown(query, candidates, self._rules.cards)
        room = query.limits.max_adapters - len(UserAdapters.of(query).names)
        if not cards.candidates or room <= 0:  # there is nothing to choose
            return RuleComposer().compose(query, candidates)
        left = query.terms.left()
        seconds = (
            self._rules.deadline_s
            if left is None
            else min(self._rules.deadline_s, left - _RESERVE_S)
        )
        try:
            choice = self._chosen(query, cards, room, seconds)
        except ChatProblem as problem:
            logger.warning(
                "composed by the rules: %s", type(problem).__name__
            )  # what a server says may hold the prompt
            return _by_rules(query, candidates, str(problem))
        if not choice.tasks:
            return _by_rules(query, candidates, "its answer named no part of the prompt.")
        made = ChatWork.of(query, candidates, choice).done()
        logger.info(
            "%s: %d tasks, %d picks of %d cards.",
            self._client.endpoint.model,
            len(made.tasks),
            len(made.picks),
            len(cards.candidates),
        )
        return made

    def text_of(self, query: Query, candidates: Candidates) -> str:
        """All that is sent for a composition, the schema as well."""
        room = query.limits.max_adapters - len(UserAdapters.of(query).names)
        return "\n".join(
            (
                rules(query.limits, room),
                shown(query, candidates, self._rules.cards).text,
                json.dumps(server_schema(CompositionAnswer)),
            )
        )

    def close(self) -> None:
        """Gives its connections back; the next question opens new ones."""
        self._client.close()

    def _chosen(self, query: Query, cards: ShownCards, room: int, seconds: float) -> Choice:
        asking = _Asking(self._client, self._answers, time.monotonic() + seconds)
        seed = query.terms.seed if self._client.endpoint.temperature > 0 else 0
        try:
            answer = asking.answer(
                ChatRequest(
                    rules(query.limits, room),
                    cards.text,
                    CompositionAnswer,
                    seed=seed,
                    max_tokens=_TOKENS,
                )
            )
            choice = read_choice(answer, cards, query.prompt)
            if self._rules.twice and choice.picks:
                _look_again(query, cards, choice, asking, seed)
        finally:
            if asking.asked and self._rules.release and self._client.local:
                self._free(asking.until)
        return choice

    def _free(self, until: float) -> None:
        """The picture needs the memory now; but no plan waits long for it."""
        freeing = threading.Thread(target=self._client.release, name="stylus-release", daemon=True)
        freeing.start()
        freeing.join(max(0.0, min(_FREE_S, until - time.monotonic())))


@dataclass(slots=True)
class _Asking:
    """The questions of one composition, within one deadline; what was asked before is not asked
    again.
    """

    client: ChatClient
    answers: Answers
    until: float
    asked: bool = False

    def answer(self, question: ChatRequest[A]) -> A:
        key = key_of(self.client.name, self.client.endpoint.temperature, question)
        known = self.answers.get(key)
        if known is not None:
            with contextlib.suppress(ValidationError):  # the file may have been edited
                return question.schema.model_validate(known)
        seconds = self.until - time.monotonic()
        if seconds < _TOO_SHORT_S:
            raise ChatLate(f"There was no time left to ask {self.client.name}.")
        self.asked = True
        answer = self.client.ask(question, seconds).answer
        self.answers.put(key, answer.model_dump())
        return answer


def _look_again(
    query: Query, cards: ShownCards, choice: Choice, asking: _Asking, seed: int
) -> None:
    """The second turn; when it fails, the first stands."""
    lines = [
        f"{number}. for '{choice.tasks[choice.picks[one.key][0]].text}': {choice.picks[one.key][1]}"
        for number, one in enumerate(cards.candidates, 1)
        if one.key in choice.picks
    ]
    chosen = (
        (number, one.entry)
        for number, one in enumerate(cards.candidates, 1)
        if one.key in choice.picks
    )
    text = "\n".join([asked(query), "", listed(chosen), "", "Chosen:", fenced(lines)])
    try:
        prune(
            choice,
            asking.answer(
                ChatRequest(
                    stricter(),
                    text,
                    PruningAnswer,
                    seed=seed,
                    max_tokens=_TOKENS_OF_PRUNING,
                )
            ),
            cards,
        )
    except ChatProblem as problem:
        choice.dropped.append(f"The model's choice was not looked at again: {problem}")


def _by_rules(query: Query, candidates: Candidates, why: str) -> Composition:
    made = RuleComposer().compose(query, candidates)
    return replace(
        made,
        notes=(
            *made.notes,
            Note(FAILED, f"The rules composed this plan in place of the language model: {why}"),
        ),
    )
