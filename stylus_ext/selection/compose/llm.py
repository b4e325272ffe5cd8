"""The composer that asks a language model once; if that fails, the rules compose."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from stylus_ext.core.composition import Candidates, Composition
from stylus_ext.core.errors import Note
from stylus_ext.core.files import write_file
from stylus_ext.core.lru import LruCache
from stylus_ext.core.ports import Query
from stylus_ext.llm import LlmClient, LlmProblem, LlmRequest, LlmTimeout
from stylus_ext.llm.injection_guard import fenced
from stylus_ext.llm.schema import LlmAnswer, server_schema
from stylus_ext.net.values import NotJson, parsed
from stylus_ext.selection.compose.baselines import PolicyComposer
from stylus_ext.selection.compose.llm_prompt import (
    CompositionAnswer,
    PruningAnswer,
    ShownCards,
    card_list,
    composition_rules,
    prompt_lines,
    pruning_rules,
    shown_cards,
)
from stylus_ext.selection.compose.llm_reply import Choice, ChoiceState, prune, read_choice
from stylus_ext.selection.compose.tasks import UserAdapters

logger = logging.getLogger(__name__)

A = TypeVar("A", bound=LlmAnswer)

FAILED = "chat_failed"
"""Code of the note that the rules composed instead; such a plan is not cached."""

_RESERVE_S = 0.3
"""Part of a plan's time that is kept for the rules, should the model not answer."""

_TOO_SHORT_S = 0.3
_RELEASE_S = 1.0
_MAX_TOKENS, _MAX_TOKENS_PRUNING = 900, 400
_ANSWERS_KEPT = 256
_MAX_FILE_SIZE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LlmOptions:
    """`deadline_s` is for one composition, and never longer than the plan has left; `twice` asks
    a second time, to remove picks; `release` frees the model's memory afterwards.
    """

    deadline_s: float = 20.0
    cards: int = 24
    twice: bool = False
    release: bool = True


class AnswerCache:
    """The last answers of the model, so that the same question needs no second request.

    They are kept in a file that only its user can read, or in memory.
    """

    def __init__(self, path: Path | None = None, most: int = _ANSWERS_KEPT) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._answers = LruCache[str, Mapping[str, Any]](most)
        self._is_loaded = False

    def get(self, key: str) -> Mapping[str, Any] | None:
        with self._lock:
            self._load()
            return self._answers.get(key)

    def put(self, key: str, answer: Mapping[str, Any]) -> None:
        with self._lock:
            self._load()
            self._answers[key] = answer
            self._save()

    def _load(self) -> None:
        if self._is_loaded or self._path is None:
            return
        self._is_loaded = True
        try:
            if self._path.stat().st_size > _MAX_FILE_SIZE:
                return
            rows = parsed(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, NotJson) as error:
            logger.warning("Cannot read %s, starting a new one: %s", self._path, error)
            return
        if isinstance(rows, dict):
            self._answers.update(
                {str(key): answer for key, answer in rows.items() if isinstance(answer, dict)}
            )

    def _save(self) -> None:
        """An answer that cannot be saved is asked for again after a restart."""
        if self._path is None:
            return
        try:
            write_file(self._path, json.dumps(dict(self._answers.items())), 0o600)
        except OSError as error:
            logger.warning("Cannot write %s: %s", self._path, error)


def answer_key(name: str, temperature: float, question: LlmRequest[Any]) -> str:
    """Identifies everything that an answer depends on; the seed only above temperature 0."""
    seed = question.seed if temperature > 0 else None
    parts = [name, temperature, seed, question.system, question.user, question.schema.__name__]
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()


class LlmComposer:
    """Implements `Composer`."""

    name = "chat"

    def __init__(
        self,
        client: LlmClient,
        options: LlmOptions = LlmOptions(),
        answers: AnswerCache | None = None,
    ) -> None:
        self._client, self._options = client, options
        self._answers = answers or AnswerCache()

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        cards = shown_cards(query, candidates, self._options.cards)
        places_left = _places_left(query)
        if not cards.candidates or places_left <= 0:  # nothing to choose
            return PolicyComposer().compose(query, candidates)
        left, seconds = query.context.left(), self._options.deadline_s
        if left is not None:
            seconds = min(seconds, left - _RESERVE_S)
        try:
            choice = self._chosen(query, cards, places_left, seconds)
        except LlmProblem as problem:
            # Only the type is logged: the text of a server may contain the prompt.
            logger.warning("Composed by the rules: %s", type(problem).__name__)
            return _by_rules(query, candidates, str(problem))
        if not choice.tasks:
            return _by_rules(query, candidates, "its answer named no part of the prompt.")
        composition = ChoiceState.of(query, candidates, choice).finish()
        if choice.names_adapters and not choice.picks.keys() & {p.key for p in composition.picks}:
            rules = _by_rules(query, candidates, "none of its choices can be used.")
            return replace(rules, notes=(*rules.notes, *choice.notes()))
        counts = len(composition.tasks), len(composition.picks), len(cards.candidates)
        logger.info("%s: %d tasks, %d picks of %d cards.", self._client.endpoint.model, *counts)
        return composition

    def text_of(self, query: Query, candidates: Candidates) -> str:
        """Everything that is sent for one composition, schema included."""
        cards = shown_cards(query, candidates, self._options.cards)
        rules = composition_rules(query.limits, _places_left(query))
        return "\n".join((rules, cards.text, json.dumps(server_schema(CompositionAnswer))))

    def close(self) -> None:
        """Close idle connections; the next question opens new ones."""
        self._client.close()

    def _chosen(self, query: Query, cards: ShownCards, places_left: int, seconds: float) -> Choice:
        session = _Session(self._client, self._answers, time.monotonic() + seconds)
        seed = query.context.seed if self._client.endpoint.temperature > 0 else 0
        try:
            rules = composition_rules(query.limits, places_left)
            question = LlmRequest(
                rules, cards.text, CompositionAnswer, seed=seed, max_tokens=_MAX_TOKENS
            )
            choice = read_choice(session.answer(question), cards, query.prompt)
            if self._options.twice and choice.picks:
                _prune(query, cards, choice, session, seed)
        finally:
            if session.has_sent and self._options.release and self._client.local:
                self._release(session.until)
        return choice

    def _release(self, until: float) -> None:
        """Free the model's memory for the picture, without making the plan wait for long."""
        thread = threading.Thread(target=self._client.release, name="stylus-release", daemon=True)
        thread.start()
        thread.join(max(0.0, min(_RELEASE_S, until - time.monotonic())))


def _places_left(query: Query) -> int:
    return query.limits.max_adapters - len(UserAdapters.of(query).names)


@dataclass(slots=True)
class _Session:
    """The questions of one composition, answered from the cache or within one deadline."""

    client: LlmClient
    answers: AnswerCache
    until: float
    has_sent: bool = False

    def answer(self, question: LlmRequest[A]) -> A:
        key = answer_key(self.client.name, self.client.endpoint.temperature, question)
        known = self.answers.get(key)
        if known is not None:
            with contextlib.suppress(ValidationError):  # the file was edited by hand
                return question.schema.model_validate(known)
        seconds = self.until - time.monotonic()
        if seconds < _TOO_SHORT_S:
            raise LlmTimeout(f"No time left to ask {self.client.name}.")
        self.has_sent = True
        answer = self.client.ask(question, seconds).answer
        self.answers.put(key, answer.model_dump())
        return answer


def _prune(query: Query, cards: ShownCards, choice: Choice, session: _Session, seed: int) -> None:
    """Ask the model to remove picks; if that fails, its first answer stands."""
    chosen = [
        (number, candidate)
        for number, candidate in enumerate(cards.candidates, 1)
        if candidate.key in choice.picks
    ]
    lines = []
    for number, candidate in chosen:
        start, reason = choice.picks[candidate.key]
        lines.append(f"{number}. for '{choice.tasks[start].text}': {reason}")
    shown = card_list((number, candidate.entry) for number, candidate in chosen)
    question = LlmRequest(
        pruning_rules(),
        "\n".join([prompt_lines(query), "", shown, "", "Chosen:", fenced(lines)]),
        PruningAnswer,
        seed=seed,
        max_tokens=_MAX_TOKENS_PRUNING,
    )
    try:
        prune(choice, session.answer(question), cards)
    except LlmProblem as problem:
        choice.problems.append(f"The model's choice was not checked a second time: {problem}")


def _by_rules(query: Query, candidates: Candidates, why: str) -> Composition:
    composition = PolicyComposer().compose(query, candidates)
    note = Note(FAILED, f"The rules composed this plan instead of the language model: {why}")
    return replace(composition, notes=(*composition.notes, note))
