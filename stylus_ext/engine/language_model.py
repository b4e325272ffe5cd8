"""The user's language model: its settings, key and shared client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Lock

from stylus_ext.core.composition import Candidates, Composition
from stylus_ext.core.errors import InvalidInput, Note, StoreProblem
from stylus_ext.core.ports import Composer, Query
from stylus_ext.core.settings import Chat
from stylus_ext.llm import (
    LlmAnswer,
    LlmClient,
    LlmEndpoint,
    LlmRequest,
    Place,
    Price,
    llm_key,
    load_openai,
    place_of,
)
from stylus_ext.llm.schema import Text
from stylus_ext.llm.server import LLM_KEY, base_url
from stylus_ext.net import Key, delete_key, origin_of, safe_url, save_key
from stylus_ext.selection.compose.baselines import PolicyComposer
from stylus_ext.selection.compose.llm import FAILED, AnswerCache, LlmComposer, LlmOptions

_ANSWERS = "chat_answers.json"
_CHECK_TOKENS = 300  # a reasoning model thinks before it says yes


class CheckAnswer(LlmAnswer):
    answer: Text


class UnusableModelComposer:
    """Composes by rules where the language model cannot be used, and notes the reason."""

    name = "chat"

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        composition = PolicyComposer().compose(query, candidates)
        text = f"The rules composed this plan, not the language model: {self._problem}"
        return replace(composition, notes=(*composition.notes, Note(FAILED, text)))


class LanguageModel:
    """The model that the settings name. Share one instance per data folder: the client remembers
    what its server can do.
    """

    def __init__(self, folder: Path, settings: Chat) -> None:
        self._folder = folder
        self._answers = AnswerCache(folder / _ANSWERS)
        self._client: LlmClient | None = None
        self._lock = Lock()
        self.settings = settings

    @property
    def on(self) -> bool:
        return bool(self.settings.chat_url)

    @property
    def key_url(self) -> str:
        """The server's address without any password or key in it."""
        return safe_url(self.settings.chat_url) if self.on else ""

    @property
    def problem(self) -> str:
        """Why the model in the settings cannot be used; empty if there is no reason."""
        if self.on:
            try:
                self.endpoint()
            except (InvalidInput, StoreProblem) as error:
                return str(error)
        return ""

    @property
    def place(self) -> Place:
        """Where the server is; an unusable address counts as this machine."""
        try:
            return place_of(base_url(self.settings.chat_url))
        except InvalidInput:
            return "machine"

    @property
    def composers(self) -> tuple[str, ...]:
        """Names of the composers that can be used."""
        return ("rules", "chat") if self.on else ("rules",)

    @property
    def free_composers(self) -> tuple[str, ...]:
        """Names of the composers without a price: a model in the own network costs nothing."""
        return ("rules", "chat") if self.on and self.place != "elsewhere" else ("rules",)

    def load(self) -> None:
        """Load the code that a model is asked with, before a plan's time runs."""
        if self.on:
            load_openai()

    def composer(self) -> Composer:
        try:
            client = self.client()
        except (InvalidInput, StoreProblem) as error:
            return UnusableModelComposer(str(error))
        chat = self.settings
        rules = LlmOptions(chat.chat_deadline, chat.cards, chat.prune_again, chat.chat_release)
        return LlmComposer(client, rules, self._answers)

    def text_of(self, query: Query, candidates: Candidates) -> str:
        """The text that a composition would send, for counting its tokens."""
        composer = self.composer()
        return composer.text_of(query, candidates) if isinstance(composer, LlmComposer) else ""

    def client(self) -> LlmClient:
        """The shared client, renewed when the key has changed."""
        endpoint = self.endpoint()
        with self._lock:
            if self._client is None or self._client.endpoint != endpoint:
                if self._client is not None:
                    self._client.close()
                self._client = LlmClient(endpoint)
            return self._client

    def endpoint(self) -> LlmEndpoint:
        chat = self.settings
        if not chat.chat_url:
            raise InvalidInput(
                "No language model is set. Name one with --chat-url and --chat-model, or in"
                " chat.chat_url of settings.json."
            )
        priced = chat.price_in >= 0 and chat.price_out >= 0
        return LlmEndpoint(
            chat.chat_url,
            chat.chat_model,
            llm_key(self._folder, chat.chat_url),
            chat.temperature,
            Price(chat.price_in, chat.price_out) if priced else None,
        )

    def has_key(self) -> bool:
        try:
            return self.on and llm_key(self._folder, self.settings.chat_url) is not None
        except (InvalidInput, StoreProblem):
            return False

    def enter_key(self, secret: str) -> str:
        """Stores a key for the address in the settings and returns its origin."""
        if not self.on:
            raise InvalidInput("No language model is set. Name one with --chat-url first.")
        key = Key(origin_of(base_url(self.settings.chat_url)), secret)
        save_key(self._folder, LLM_KEY, key)
        return key.origin

    def forget_key(self) -> bool:
        return delete_key(self._folder, LLM_KEY)

    def account(self) -> str:
        """Asks the model one short question, which tests address, model and key; returns its
        name and address.
        """
        client = self.client()
        client.ask(
            LlmRequest(
                "Answer briefly.",
                "Say yes.",
                CheckAnswer,
                max_tokens=_CHECK_TOKENS,
            ),
            self.settings.chat_deadline,
        )
        return client.name

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
