"""A chat server as configured: address, model, key, prices; requests, replies and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar
from urllib.parse import urlsplit

from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, StylusError, Unavailable
from stylus_ext.llm.schema import LlmAnswer
from stylus_ext.net import Key, KeyName, is_loopback, key_for, origin_of
from stylus_ext.net.keys import api_base, is_private

A_co = TypeVar("A_co", bound=LlmAnswer, covariant=True)


@dataclass(frozen=True, slots=True)
class LlmRequest(Generic[A_co]):
    """`images` are the bytes of JPEG, PNG, WebP or GIF files."""

    system: str
    user: str
    schema: type[A_co]
    images: tuple[bytes, ...] = ()
    seed: int | None = None
    max_tokens: int = 1000


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of all tries together, and their cost in US dollars; None if the price is unknown."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0

    def __add__(self, other: Spent) -> Spent:
        known = self.cost is not None and other.cost is not None
        return Spent(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
        )


@dataclass(frozen=True, slots=True)
class Reply(Generic[A_co]):
    """`dropped` names the fields that the model added; tokens and cost are those of all tries."""

    answer: A_co
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    dropped: tuple[str, ...] = ()


PRICES_AS_OF = "2025-08"

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    tokens_in: float
    tokens_out: float

    def spent(self, tokens_in: int, tokens_out: int) -> Spent:
        return Spent(
            tokens_in,
            tokens_out,
            (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / _MILLION,
        )


FREE = Price(0.0, 0.0)
_TABLE = (
    (r"gpt-5-nano", Price(0.05, 0.40)),
    (r"gpt-5-mini", Price(0.25, 2.00)),
    (r"gpt-5", Price(1.25, 10.00)),
    (r"gpt-4\.1-nano", Price(0.10, 0.40)),
    (r"gpt-4\.1-mini", Price(0.40, 1.60)),
    (r"gpt-4\.1", Price(2.00, 8.00)),
    (r"gpt-4o-mini", Price(0.15, 0.60)),
    (r"gpt-4o", Price(2.50, 10.00)),
    (r"o4-mini|o3-mini", Price(1.10, 4.40)),
    (r"o3", Price(2.00, 8.00)),
    (r"gemini-2\.5-flash-lite|gemini-2\.0-flash", Price(0.10, 0.40)),
    (r"gemini-2\.5-flash", Price(0.30, 2.50)),
    (r"gemini-2\.5-pro", Price(1.25, 10.00)),
)
_PICTURES = (
    (r"gpt-4o-mini", 8500),
    (r"gpt-4\.1-mini|gpt-5-mini", 415),
    (r"gpt-4\.1-nano|gpt-5-nano", 630),
    (r"o4-mini", 441),
    (r"gpt-5", 210),
    (r"o3", 225),
)
_USUAL_PICTURE = 260
"""Tokens of a picture of 512 by 512 pixels for gpt-4o, gpt-4.1, Gemini and unlisted models."""

_DATED = r"(?:-\d{4}-\d{2}-\d{2}|-\d{3}|-latest|-chat-latest)?"


def price_of(model: str) -> Price | None:
    """The price of a model, named with or without a maker (openai/gpt-4o) and a date."""
    return next((price for pattern, price in _TABLE if _is(pattern, model)), None)


def picture_tokens(model: str) -> int:
    """Tokens that the maker counts for a picture of 512 pixels; some small models take many."""
    return next((tokens for pattern, tokens in _PICTURES if _is(pattern, model)), _USUAL_PICTURE)


def _is(pattern: str, model: str) -> bool:
    return (
        re.fullmatch(f"(?:{pattern}){_DATED}", model.strip().lower().rpartition("/")[2]) is not None
    )


OPENAI = "https://api.openai.com"
LLM_KEY = KeyName("chat", "STYLUS_CHAT_KEY", OPENAI)
OPENAI_KEY = KeyName("OpenAI", "OPENAI_API_KEY", OPENAI)
"""The variable that OpenAI's own tools read; its key goes to OpenAI only."""

Place = Literal["machine", "network", "elsewhere"]

_GEMINI, _GEMINI_PATH = "https://generativelanguage.googleapis.com", "/v1beta/openai"
_HOME_NAMES = (".local", ".localhost", ".lan", ".internal", ".home.arpa")


@dataclass(frozen=True, slots=True)
class LlmEndpoint:
    """`url` is with or without /v1. A price not given is looked up by the model's name."""

    url: str
    model: str
    key: Key | None = None
    temperature: float = 0.0
    price: Price | None = None
    base: str = field(init=False)

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InvalidInput(
                f"No model is set for the chat server at {self.url}. Set chat.chat_model."
            )
        object.__setattr__(self, "base", base_url(self.url))
        if self.key is not None and self.key.origin != self.origin:
            raise InvalidInput(
                f"The key is for {self.key.origin} and is not sent to {self.origin}."
            )

    @property
    def origin(self) -> str:
        return origin_of(self.base)

    @property
    def place(self) -> Place:
        return place_of(self.base)

    @property
    def local(self) -> bool:
        """In the user's own network: private and free."""
        return self.place != "elsewhere"

    @property
    def pays(self) -> Price | None:
        """The price; None if it is unknown."""
        return self.price or (FREE if self.local else price_of(self.model))


def base_url(url: str) -> str:
    """The address for the client: a bare origin gets /v1, and the chat route is removed."""
    base = api_base(url, "/chat/completions", "chat server")
    origin, path = origin_of(base), urlsplit(base).path
    if origin == _GEMINI and path in ("/v1", "/v1beta"):  # elsewhere it speaks its own protocol
        path = _GEMINI_PATH
    return origin + path


def place_of(url: str) -> Place:
    """This machine, the home network, or elsewhere; a name without a public domain is at home."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if is_loopback(url) or host in ("0.0.0.0", "::"):  # noqa: S104
        return "machine"
    if is_private(url) or host.endswith(_HOME_NAMES) or "." not in host and ":" not in host:
        return "network"
    return "elsewhere"


def llm_key(folder: Path, url: str) -> Key | None:
    """The key for this server: from STYLUS_CHAT_KEY, the data folder, or OPENAI_API_KEY."""
    base = base_url(url)
    found = key_for(folder, base, LLM_KEY)
    if found is None and origin_of(base) == OPENAI:
        return key_for(folder, base, OPENAI_KEY)
    return found


class LlmProblem(StylusError):
    """There is no reply; `spent` is what the tries used up."""

    spent: Spent = Spent()


class LlmRefused(LlmProblem):
    """The server or the model refuses for good: a wrong key, an unknown model, a refusal."""


class LlmNoVision(LlmRefused):
    """The model cannot read images; the same request without them may succeed."""


class LlmUnreadable(LlmProblem, Unavailable):
    """The answer does not fit the schema."""


class LlmUnavailable(LlmProblem, Unavailable):
    """The server does not answer, or had too many requests."""


class LlmTimeout(LlmProblem, DeadlineExceeded):
    """The deadline is over."""
