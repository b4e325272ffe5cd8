"""Wan in Forge Neo: a batch is a video, and Wan 2.2's LoRAs come in pairs.

Only the half for the loaded checkpoint is selected. The Refiner loads the low noise checkpoint for
the last steps, and replaces parts of the names in the tags by rules such as `high_noise=low_noise`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stylus_ext.core.errors import Note
from stylus_ext.core.family import ecosystem
from stylus_ext.core.file_names import noise_half, noise_pairs
from stylus_ext.core.generation import UsedAdapter
from stylus_ext.host import compat
from stylus_ext.host.checkpoint import find_family, loaded_checkpoint


def makes_video() -> bool:
    """True if the pictures of a batch are the frames of a video."""
    return find_family(loaded_checkpoint(), None).family.startswith("wan")


def selectable_stems(family: str) -> list[str]:
    """Listed stems without the other halves of pairs; all of them for other families."""
    stems = compat.listed_stems()
    if ecosystem(family) != "wan":
        return stems
    pairs = noise_pairs(stems)
    others = set(pairs if noise_half(loaded_checkpoint().title) == "low" else pairs.values())
    return [stem for stem in stems if stem not in others]


def refiner_notes(p: Any, adapters: Iterable[UsedAdapter]) -> list[Note]:
    """A note for each selected half that the Refiner's rules do not replace by the other."""
    if not getattr(p, "refiner_checkpoint", None):
        return []
    pairs = noise_pairs(compat.listed_stems())
    return [
        Note(
            "refiner_rule",
            f"{stem} stays on in the Refiner's steps. Add the line {stem}={pairs[stem]} to its"
            " LoRA Replacements.",
        )
        for stem in dict.fromkeys(adapter.stem for adapter in adapters)
        if stem in pairs and _name_in_refiner(stem) != pairs[stem]
    ]


def _name_in_refiner(name: str) -> str:
    """A LoRA's name in the Refiner's steps, by the rules in the settings."""
    for rule in str(compat.option("refiner_lora_replacement", "")).splitlines():
        before, sign, after = (part.strip() for part in rule.partition("="))
        name = name.replace(before, after) if before and sign else name
    return name
