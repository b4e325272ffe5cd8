"""What makes the pictures: a WebUI or diffusers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ReceivedPicture:
    """A PNG picture with what its maker states about it."""

    data: bytes
    seconds: float
    seed: int
    checkpoint: str
    infotext: str
    memory_mb: float | None = None


class PictureMaker(Protocol):
    """Makes one picture from the fields of a request to a WebUI."""

    def check(self) -> None:
        """Refuse what cannot make pictures."""

    def loras(self) -> Sequence[str] | None:
        """The names of its LoRAs; None if it does not list them."""
        ...

    def generate(self, fields: Mapping[str, Any]) -> ReceivedPicture: ...

    def close(self) -> None: ...
