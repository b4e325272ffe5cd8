"""A chat server as it is configured: address, model, key, temperature; where it stands, and which
key goes there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from stylus_ext.backends.chat.prices import FREE, Price, price_of
from stylus_ext.backends.http import Key, KeyName, is_loopback, key_for, origin_of
from stylus_ext.backends.http.origins import is_private
from stylus_ext.core.errors import InvalidInput

OPENAI = "https://api.openai.com"
CHAT_KEY = KeyName("chat", "STYLUS_CHAT_KEY", OPENAI)
OPENAI_KEY = KeyName("OpenAI", "OPENAI_API_KEY", OPENAI)
"""The variable that OpenAI's own tools read: its key is theirs, and goes nowhere else."""

Place = Literal["machine", "network", "elsewhere"]

_ROUTE = "/chat/completions"
_GEMINI, _GEMINI_PATH = "https://generativelanguage.googleapis.com", "/v1beta/openai"
_HOME_NAMES = (".local", ".localhost", ".lan", ".internal", ".home.arpa")


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """`url` with or without /v1. A price that is not given is looked up by the model's name, and is
    nothing on a machine of one's own.
    """

    url: str
    model: str
    key: Key | None = None
    temperature: float = 0.0
    price: Price | None = None
    base: str = field(init=False)

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InvalidInput(
                f"No model is named for the chat server at {self.url}. Set chat.chat_model to one"
                " that it has."
            )
        object.__setattr__(self, "base", base_url(self.url))
        if self.key is not None and self.key.origin != self.origin:
            raise InvalidInput(
                f"The key was entered for {self.key.origin} and is not sent to {self.origin}."
            )

    @property
    def origin(self) -> str:
        return origin_of(self.base)

    @property
    def place(self) -> Place:
        return place_of(self.base)

    @property
    def local(self) -> bool:
        """On a machine of one's own: nobody else reads along, and nothing is paid."""
        return self.place != "elsewhere"

    @property
    def pays(self) -> Price | None:
        """None where nobody knows what it costs."""
        return self.price or (FREE if self.local else price_of(self.model))


def base_url(url: str) -> str:
    """As the client wants it: a bare origin gets /v1, and the route that it adds itself goes."""
    try:
        origin = origin_of(url)
    except InvalidInput as error:
        raise InvalidInput(
            "The address of the chat server cannot be used. It looks like https://host/v1, without"
            " a name, a key or a question mark in it."
        ) from error
    parts = urlsplit(url.strip())
    if parts.query or parts.fragment:
        raise InvalidInput(
            "The address of the chat server ends before the question mark; it looks like"
            " https://host/v1."
        )
    path = parts.path.rstrip("/").removesuffix(_ROUTE).rstrip("/")
    if origin == _GEMINI and path in ("", "/v1", "/v1beta"):  # its own protocol lives there
        return origin + _GEMINI_PATH
    return origin + (path or "/v1")


def place_of(url: str) -> Place:
    """This machine, one in the same network, or any other; a name that only one's own network can
    know counts as that.
    """
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if is_loopback(url) or host in ("0.0.0.0", "::"):  # noqa: S104
        return "machine"
    if is_private(url) or host.endswith(_HOME_NAMES) or "." not in host and ":" not in host:
        return "network"
    return "elsewhere"


def chat_key(folder: Path, url: str) -> Key | None:
    """The key that was entered for this server: in STYLUS_CHAT_KEY, in the data folder, or for
    OpenAI itself in OPENAI_API_KEY.
    """
    base = base_url(url)
    found = key_for(folder, base, CHAT_KEY)
    if found is None and origin_of(base) == OPENAI:
        return key_for(folder, base, OPENAI_KEY)
    return found
