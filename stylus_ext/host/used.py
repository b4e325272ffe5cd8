"""What the pictures of the last generation were made with: its `Work` and seeds go in, one line a
picture comes out.

Read when somebody looks, since another script may have changed the prompts after us.
"""

from __future__ import annotations

from dataclasses import dataclass

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.tags.weights import ADAPTER_KINDS
from stylus_ext.host.work import Work


@dataclass(frozen=True, slots=True)
class UsedTag:
    """As it stood in the prompt; `key` and `name` are empty for what the user wrote himself."""

    stem: str
    weight: float
    key: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """One picture: its seed, its prompt before Stylus, its tags, and what its mask left out."""

    seed: int
    prompt: str
    tags: tuple[UsedTag, ...]
    off: tuple[str, ...] = ()


def used_in(work: Work, seeds: tuple[int, ...]) -> tuple[Used, ...]:
    if work.lost:
        return ()
    return tuple(
        _used(work, image, seed) for image, seed in enumerate(seeds[: len(work.texts.positive)])
    )


def _used(work: Work, image: int, seed: int) -> Used:
    text = work.texts.positive[image]
    tags = tuple(
        UsedTag(
            tag.name, 1.0 if tag.weight is None else tag.weight, *work.named.get(tag.name, ("", ""))
        )
        for tag in parse_prompt(text).user_tags
        if tag.kind in ADAPTER_KINDS
    )
    if image >= len(work.pictures):
        return Used(seed, text, tags)
    picture = work.pictures[image]
    return Used(
        seed,
        picture.prompt,
        tags,
        tuple(work.named.get(stem, ("", stem))[1] for stem in picture.off),
    )
