"""What tokens cost: a model's name goes in, US dollars per million tokens come out.

List prices as their makers published them, as of August 2025, without discounts for batches or
caches; the settings `chat.price_in` and `chat.price_out` override them. The first pattern that fits
counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stylus_ext.backends.chat.question import Spent

AS_OF = "2025-08"

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
_USUAL = 260
"""Tokens of a picture of 512 by 512 pixels, for gpt-4o, gpt-4.1, Gemini, and whoever is not listed.
"""

_DATED = r"(?:-\d{4}-\d{2}-\d{2}|-\d{3}|-latest|-chat-latest)?"


def price_of(model: str) -> Price | None:
    """By the model's name, with or without the maker before it (openai/gpt-4o) and a date behind
    it; None where it is not known.
    """
    return next((price for pattern, price in _TABLE if _is(pattern, model)), None)


def picture_tokens(model: str) -> int:
    """What its maker says that it counts a picture of 512 pixels as: some small models are cheap by
    the token and take many for a picture.
    """
    return next((tokens for pattern, tokens in _PICTURES if _is(pattern, model)), _USUAL)


def _is(pattern: str, model: str) -> bool:
    return (
        re.fullmatch(f"(?:{pattern}){_DATED}", model.strip().lower().rpartition("/")[2]) is not None
    )
