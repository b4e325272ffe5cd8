"""Pictures of adapters that are not on disk: a card goes in, a small JPEG comes out; only where
that was switched on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stylus_ext.backends.thumbnails.kept import KeptPictures
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import Downloads

FOLDER = "pictures"
OFF = (
    "Pictures of adapters that are not on disk are not fetched: `--thumbnails`, or the settings"
    " page's switch, permits it."
)


@dataclass(frozen=True)
class CardPictures:
    """`kept` fetches from the picture hosts of Civitai and Hugging Face alone."""

    folder: Path
    rules: Downloads
    kept: KeptPictures = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", KeptPictures(self.folder / FOLDER))

    def has(self, card: AdapterCard) -> bool:
        return self.rules.thumbnails and bool(card.preview)

    def small(self, card: AdapterCard, check: Callable[[], None]) -> bytes:
        if not self.rules.thumbnails:
            raise InvalidInput(OFF)
        if not card.preview:
            raise InvalidInput(f"The card of {card.name[:80]!r} names no picture.")
        return self.kept.small(card.preview, check)

    def close(self) -> None:
        self.kept.close()
