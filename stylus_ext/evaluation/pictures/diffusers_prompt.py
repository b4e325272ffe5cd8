"""A prompt of the WebUI as diffusers reads it: plain words, and the LoRAs of its tags.

Brackets and attention weights are taken out, and the words in them stay. Of a weight that changes
over the steps, the greatest holds for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.parse import (
    COMMENT,
    ESCAPE,
    NETWORK,
    Token,
    UserTag,
    structure,
    tokenise,
    user_tags,
    weight_of,
)

_LORA_KINDS = ("lora", "lyco")


@dataclass(frozen=True, slots=True)
class LoraTag:
    """A LoRA with its weight in the denoising model and in the text encoders."""

    name: str
    weight: float
    text_weight: float


def plain_text(prompt: str) -> str:
    """The words without tags, comments, brackets and attention weights."""
    tokens = tokenise(prompt)
    silent = structure(tokens).silent
    words = (_text(token) for place, token in enumerate(tokens) if place not in silent)
    parts = (part.strip() for part in " ".join("".join(words).split()).split(","))
    return ", ".join(part for part in parts if part)


def _text(token: Token) -> str:
    if token.kind in (NETWORK, COMMENT):
        return ""
    return token.text[1:] if token.kind == ESCAPE else token.text


def lora_tags(prompt: str) -> tuple[LoraTag, ...]:
    """The LoRAs of a prompt; the weights of the same one are added, as the WebUIs do."""
    found: dict[str, LoraTag] = {}
    for tag in user_tags(tokenise(prompt)):
        if tag.kind not in _LORA_KINDS:
            raise InvalidInput(f"diffusers loads LoRAs only, not <{tag.kind}:{tag.name}>.")
        read = _read(tag)
        before = found.get(read.name, LoraTag(read.name, 0.0, 0.0))
        found[read.name] = LoraTag(
            read.name, before.weight + read.weight, before.text_weight + read.text_weight
        )
    return tuple(found.values())


def _read(tag: UserTag) -> LoraTag:
    """`<lora:name:1>`, `<lora:name:text encoder:model>`, and the arguments `te=` and `unet=`."""
    named = dict(word.split("=") for word in tag.arguments if word.count("=") == 1)
    placed = [word for word in tag.arguments if word.count("=") != 1]
    of_text = named.get("te", placed[0] if placed else "1")
    model = named.get("unet", placed[1] if len(placed) > 1 else of_text)
    weights = [weight_of(model), weight_of(of_text)]
    if None in weights:
        raise InvalidInput(f"The weight of <lora:{tag.name}> is not a number.")
    return LoraTag(tag.name, weights[0] or 0.0, weights[1] or 0.0)
