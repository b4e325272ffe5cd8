"""Pictures that go with a card, made small and harmless: those of its example prompts, then its
preview.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.backends.thumbnails import RemotePictures, Thumbnails
from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import Cancelled, StylusError
from stylus_ext.core.refining import Check

logger = logging.getLogger(__name__)

_SPARE = 2
"""So many may be missing before the rest is not tried: a service that is away shall not cost
minutes.
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A small JPEG, and the prompt that made it, as far as that is known."""

    data: bytes
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Pictures:
    """At most `most` of them. Without `remote` only what lies on this machine is shown."""

    most: int
    small: Thumbnails
    remote: RemotePictures | None = None

    def of(self, card: AdapterCard, check: Check) -> tuple[Shown, ...]:
        found: list[Shown] = []
        missed = 0
        for place, prompt in self._places(card):
            if len(found) == self.most or missed > _SPARE:
                break
            try:
                found.append(Shown(self._fetched(place, check), prompt))
            except Cancelled:
                raise
            except StylusError as problem:
                missed += 1
                logger.info("%s goes without a picture: %s", card.key, problem)
        return tuple(found)

    def expected(self, card: AdapterCard) -> int:
        return min(self.most, sum(1 for _ in self._places(card)))

    def close(self) -> None:
        if self.remote is not None:
            self.remote.close()

    def _fetched(self, place: str, check: Check) -> bytes:
        if self.remote is not None and _is_remote(place):
            return self.remote.small(place, check)
        return self.small.of_file(Path(place))

    def _places(self, card: AdapterCard) -> Iterator[tuple[str, str]]:
        seen: set[str] = set()
        examples = [(example.image, example.prompt) for example in card.examples if example.image]
        for place, prompt in (*examples, (card.preview, "")):
            usable = (
                (self.remote is not None and self.remote.allows(place))
                if _is_remote(place)
                else Path(place).is_absolute()
            )
            if place and place not in seen and usable:
                seen.add(place)
                yield place, prompt


def _is_remote(place: str) -> bool:
    return "://" in place
