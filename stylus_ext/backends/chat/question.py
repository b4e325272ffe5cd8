"""What is asked of a chat model, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """`schema` is a JSON Schema whose top is an object; `images` are the bytes of JPEG, PNG, WebP
    or GIF files.
    """

    system: str
    user: str
    images: tuple[bytes, ...] = ()
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    seed: int | None = None
    max_tokens: int = 1000


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of all tries together, and what they cost in US dollars; None where nobody knows the
    price.
    """

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
class Reply:
    """`data` fits the schema. `dropped` names what the model added to it; `tokens_*` and `cost` are
    those of all tries.
    """

    data: Mapping[str, Any]
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    dropped: tuple[str, ...] = ()
