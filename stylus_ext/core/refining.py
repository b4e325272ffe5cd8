"""Refiners that cost money: their description of a card, its cost, and the limits of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.entry import Description
from stylus_ext.core.errors import InvalidInput, StylusError

Check = Callable[[], None]
Turn = Callable[[], AbstractContextManager[None]]
"""Entered while a question is under way, and not while it is prepared or its answer is read: others
ask meanwhile.
"""
MOST_AT_ONCE = 64
MOST_PICTURES = 10


@dataclass(frozen=True, slots=True)
class Expense:
    """Tokens and US dollars; None if the price is unknown."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    def __add__(self, other: Expense) -> Expense:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        return Expense(self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out, cost)

    def dearer(self, spent: Expense, foreseen: Expense) -> Expense:
        """Scale this estimate by actual over estimated cost so far; never below the estimate."""
        tokens = max(1.0, spent.tokens / foreseen.tokens) if foreseen.tokens else 1.0
        cost = max(1.0, spent.cost / foreseen.cost) if foreseen.cost and spent.cost else 1.0
        return Expense(
            round(self.tokens_in * tokens),
            round(self.tokens_out * tokens),
            None if self.cost is None else self.cost * cost,
        )


class NotRefined(StylusError):
    """The card got no description and retrying is unlikely to help; `spent` is lost."""

    def __init__(self, sentence: str, spent: Expense = Expense()) -> None:
        super().__init__(sentence)
        self.spent = spent


@dataclass(frozen=True, slots=True)
class Refined:
    """A description and its cost."""

    description: Description
    spent: Expense = Expense()


class CostlyRefiner(Protocol):
    """A paid refiner; thread-safe."""

    @property
    def source(self) -> str:
        """The source name stored with its descriptions."""
        ...

    def fingerprint(self, card: AdapterCard) -> str:
        """Changes when the card's relevant content changes."""
        ...

    def estimate(self, card: AdapterCard) -> Expense:
        """Estimated cost of describing this card; sends nothing."""
        ...

    def describe(self, card: AdapterCard, check: Check, turn: Turn) -> Refined:
        """Describe a card, sending requests only within `turn`.

        Raises `NotRefined` if the card is the problem, `Unavailable` if the server is.
        """
        ...

    def release(self) -> None:
        """Free what the model holds (GPU memory) after a job."""
        ...


@dataclass(frozen=True, slots=True)
class RefineLimits:
    """What may be refined, how fast and at what cost; None is no limit."""

    at_once: int = 4
    most: int | None = None
    dollars: float | None = None
    tokens: int | None = None
    on_disk: bool = False
    again: bool = False
    """Also what this refiner's kind has described before, by another model."""
    keys: tuple[AdapterKey, ...] | None = None
    """Only these, also if refined or failed before; the user's texts stay."""

    def __post_init__(self) -> None:
        if not 1 <= self.at_once <= MOST_AT_ONCE:
            raise InvalidInput(
                f"Between 1 and {MOST_AT_ONCE} cards can be refined at once, not {self.at_once}."
            )
        if any(limit is not None and limit < 0 for limit in (self.most, self.dollars, self.tokens)):
            raise InvalidInput("A limit of refining cannot be less than nothing.")

    def affords(self, expense: Expense) -> bool:
        if self.tokens is not None and expense.tokens > self.tokens:
            return False
        return self.dollars is None or (expense.cost is not None and expense.cost <= self.dollars)


@dataclass(frozen=True, slots=True)
class RefineReport:
    """Result or forecast; `known` are described, `edited` by the user, `waiting` failed lately."""

    wanted: int = 0
    refined: int = 0
    failed: int = 0
    left: int = 0
    known: int = 0
    edited: int = 0
    waiting: int = 0
    estimate: Expense = Expense()
    spent: Expense = Expense()
    reasons: Mapping[str, int] = field(default_factory=dict)
    stopped: str = ""
    """Why the job ended before all was done."""
