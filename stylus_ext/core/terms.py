"""What whoever takes time over a prompt has to keep to: the plan's seed, and how long it may still
take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


def endless() -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class Terms:
    """`left` says how many seconds there are yet; None is no limit."""

    seed: int = 0
    left: Callable[[], float | None] = field(default=endless, compare=False, repr=False)


NO_TERMS = Terms()
