"""What the downloader needs of whoever offers files; the wiring makes one of each service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from stylus_ext.backends.http import Refusal
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import StylusError
from stylus_ext.core.fetching import Offer

Check = Callable[[], None]


class Source(Protocol):
    @property
    def name(self) -> str: ...

    def offer(self, card: AdapterCard, check: Check) -> Offer:
        """Asked just before, and again when what came is not what was offered."""
        ...

    def refused(self, refusal: Refusal, card: AdapterCard) -> StylusError:
        """The sentence for its own no."""
        ...
