"""A picture that was made before, as a rehearsal of plans needs it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OldPicture:
    """`used` are the names and weights of the adapters in its tags; `prompt` is without them."""

    name: str
    prompt: str
    negative: str = ""
    seed: int = 0
    used: tuple[tuple[str, float], ...] = ()
