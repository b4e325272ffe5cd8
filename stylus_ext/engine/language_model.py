"""What is wired to a chat server: a data folder and settings go in; the one client, its key, and
what is said of both come out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from stylus_ext.core.composition import Candidates, Composition
from stylus_ext.core.errors import InvalidInput, Note, StoreProblem
from stylus_ext.core.ports import Composer, Query
from stylus_ext.core.settings import Chat
from stylus_ext.llm import ChatClient, ChatEndpoint, ChatRequest, Place, Price, chat_key, place_of
from stylus_ext.llm.server import CHAT_KEY, base_url
from stylus_ext.net import Key, delete_key, origin_of, safe_url, save_key
from stylus_ext.selection.compose.llm import FAILED, ChatComposer, ChatRules
from stylus_ext.selection.compose.llm_work import Answers
from stylus_ext.selection.compose.rules import RuleComposer

_ANSWERS = "chat_answers.json"
_CHECK_TOKENS = 300  # a model may think before it says yes
_CHECK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["answer"],
    "properties": {"answer": {"type": "string"}},
}


@dataclass(slots=True)
class NoChat:
    """In place of the `Composer` that asks a model, where none can be asked: the rules, and why."""

    why: str
    name: str = "chat"

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        made = RuleComposer().compose(query, candidates)
        return replace(
            made,
            notes=(
                *made.notes,
                Note(
                    FAILED, f"The rules composed this plan in place of a language model: {self.why}"
                ),
            ),
        )


@dataclass(slots=True)
class ChatAccess:
    """One for a data folder: whoever asks shares the client, and with it what was learned of the
    server.
    """

    folder: Path
    settings: Chat
    _answers: Answers = field(init=False, repr=False)
    _client: ChatClient | None = field(default=None, repr=False)
    _guard: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        self._answers = Answers(self.folder / _ANSWERS)

    @property
    def on(self) -> bool:
        return bool(self.settings.chat_url)

    @property
    def address(self) -> str:
        """As it may be shown to whoever asks: somebody may have written a password or a key into
        it.
        """
        return safe_url(self.settings.chat_url) if self.on else ""

    @property
    def trouble(self) -> str:
        """Why nobody can be asked, though somebody is named; empty where nothing speaks against
        it.
        """
        if self.on:
            try:
                self.endpoint()
            except (InvalidInput, StoreProblem) as problem:
                return str(problem)
        return ""

    @property
    def place(self) -> Place:
        """An address that cannot be used leads nowhere: nothing leaves this machine for it."""
        try:
            return place_of(base_url(self.settings.chat_url))
        except InvalidInput:
            return "machine"

    @property
    def free(self) -> bool:
        """On a machine of one's own, where nothing is paid."""
        return self.on and self.place != "elsewhere"

    @property
    def composers(self) -> tuple[str, ...]:
        """Those that can compose here, by name."""
        return ("rules", "chat") if self.on else ("rules",)

    @property
    def free_composers(self) -> tuple[str, ...]:
        """Those for which nobody pays."""
        return ("rules", "chat") if self.free else ("rules",)

    def composer(self, name: str) -> Composer:
        if name != "chat":
            return RuleComposer()
        try:
            client = self.client()
        except (InvalidInput, StoreProblem) as problem:
            return NoChat(str(problem))
        said = self.settings
        rules = ChatRules(said.chat_deadline, said.cards, said.prune_again, said.chat_release)
        return ChatComposer(client, rules, self._answers)

    def text_of(self, query: Query, candidates: Candidates) -> str:
        """What would be sent for a composition; for whoever counts its tokens."""
        composer = self.composer("chat")
        return composer.text_of(query, candidates) if isinstance(composer, ChatComposer) else ""

    def client(self) -> ChatClient:
        """The key is looked for each time, since it may have been entered meanwhile."""
        endpoint = self.endpoint()
        with self._guard:
            if self._client is None or self._client.endpoint != endpoint:
                if self._client is not None:
                    self._client.close()
                self._client = ChatClient(endpoint)
            return self._client

    def endpoint(self) -> ChatEndpoint:
        said = self.settings
        if not said.chat_url:
            raise InvalidInput(
                "No chat server is set. Name one with --chat-url and --chat-model, or in"
                " chat.chat_url of settings.json."
            )
        return ChatEndpoint(
            said.chat_url,
            said.chat_model,
            chat_key(self.folder, said.chat_url),
            said.temperature,
            _price(said),
        )

    def has_key(self) -> bool:
        try:
            return self.on and chat_key(self.folder, self.settings.chat_url) is not None
        except (InvalidInput, StoreProblem):
            return False

    def enter_key(self, secret: str) -> str:
        """Keeps a key for the address that the settings name now; says for which origin that is."""
        if not self.on:
            raise InvalidInput(
                "No chat server is set, so there is nothing to enter a key for. Name it with"
                " --chat-url."
            )
        key = Key(origin_of(base_url(self.settings.chat_url)), secret)
        save_key(self.folder, CHAT_KEY, key)
        return key.origin

    def drop_key(self) -> bool:
        return delete_key(self.folder, CHAT_KEY)

    def account(self) -> str:
        """Asks the model for one word, which shows that address, model and key are right; says
        where that is.
        """
        client = self.client()
        client.ask(
            ChatRequest(
                "Answer briefly.",
                "Say yes.",
                schema=_CHECK,
                schema_name="check",
                max_tokens=_CHECK_TOKENS,
            ),
            self.settings.chat_deadline,
        )
        return client.name

    def close(self) -> None:
        with self._guard:
            client, self._client = self._client, None
        if client is not None:
            client.close()


def _price(said: Chat) -> Price | None:
    if said.price_in < 0 or said.price_out < 0:
        return None
    return Price(said.price_in, said.price_out)
