"""Which pictures a probe is made of: neutral prompts, fixed seeds, rising weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

PROMPTS = (
    "a photo of a person standing in a room",
    "a landscape with a house, trees and a river",
    "a bowl of fruit beside a book on a table",
)
SEEDS = (1001, 1002)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
EFFICIENTNET = "efficientnet-lite0"
_LARGE, _SMALL = 768, 512


def usual_side(family: str) -> int:
    """The side of a square picture that is large enough to judge a model of this family."""
    return _SMALL if family in ("sd1", "sd2", "unknown") else _LARGE


@dataclass(frozen=True, slots=True)
class ProbePlace:
    """One picture of a probe, by the numbers of its weight, prompt and seed."""

    weight: int
    prompt: int
    seed: int

    @property
    def file(self) -> str:
        return f"w{self.weight:02d}-p{self.prompt:02d}-s{self.seed:02d}.png"


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """What the pictures are made with; the first weight is 0, the pictures without the LoRA."""

    checkpoint: str
    width: int
    height: int
    steps: int = 12
    cfg: float = 6.0
    sampler: str = "Euler"
    weights: tuple[float, ...] = WEIGHTS
    prompts: tuple[str, ...] = PROMPTS
    seeds: tuple[int, ...] = SEEDS
    features: str = EFFICIENTNET

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> ProbeSettings:
        read: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        return cls(**read)

    @property
    def fingerprint(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def bases(self) -> Iterator[ProbePlace]:
        """The pictures without a LoRA, which all LoRAs are compared with."""
        for prompt in range(len(self.prompts)):
            yield from (ProbePlace(0, prompt, seed) for seed in range(len(self.seeds)))

    def places(self) -> Iterator[ProbePlace]:
        """The pictures of one LoRA, in the order of making."""
        for weight in range(1, len(self.weights)):
            for base in self.bases():
                yield ProbePlace(weight, base.prompt, base.seed)

    def request(self, place: ProbePlace, stem: str) -> dict[str, Any]:
        """The fields of a text-to-image request for one picture."""
        weight, prompt = self.weights[place.weight], self.prompts[place.prompt]
        return {
            "prompt": f"{prompt} <lora:{stem}:{weight:g}>" if weight else prompt,
            "negative_prompt": "",
            "seed": self.seeds[place.seed],
            "steps": self.steps,
            "width": self.width,
            "height": self.height,
            "cfg_scale": self.cfg,
            "sampler_name": self.sampler,
        }
