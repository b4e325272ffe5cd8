"""The WebUI's infotext in, its prompt, negative prompt and parameters out; and what the prompt says
of extra networks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from stylus_ext.core.prompt.tokens import NETWORK, tokenise
from stylus_ext.core.prompt.user_tags import UserTag, user_tags

MOST_PROMPT = 20_000

_NEGATIVE = "Negative prompt:"
_PARAMETER = re.compile(r"([\w][\w \-/]{0,63}?):\s*(\"(?:\\.|[^\\\"])*\"|[^,]*)(?:,|$)")
_FEWEST_PARAMETERS = 3
_MOST_BEHIND = 4
"""Lines that extensions write behind the parameters, such as the template of Dynamic Prompts."""
_MOST_PARAMETERS = 400
_HASH = re.compile(r"([^,:\"]{1,255}):\s*([0-9a-fA-F]{8,64})\b")
_LORA_KINDS = frozenset({"lora", "lyco"})
_SPARE_COMMAS = re.compile(r"[ \t]*,(?:[ \t]*,)+")
_SPARE_SPACES = re.compile(r"[ \t]{2,}")


@dataclass(frozen=True, slots=True)
class Infotext:
    """`parameters` are as written, unquoted: `Steps`, `Seed`, `Lora hashes` and whatever extensions
    add.
    """

    prompt: str
    negative: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def lora_hashes(self) -> dict[str, str]:
        """By the name that the WebUI wrote, which may be the alias; the hash is that of the
        tensors, shortened.
        """
        pairs = _HASH.findall(self.parameters.get("Lora hashes", "")[:MOST_PROMPT])
        return {name.strip(): value.lower() for name, value in pairs}


def parse_infotext(text: str) -> Infotext:
    """Reads any text; what has no parameters is all prompt."""
    lines = text.replace("\r\n", "\n").strip("\0\n ").split("\n")
    parameters: dict[str, str] = {}
    for place in range(len(lines) - 1, max(-1, len(lines) - 1 - _MOST_BEHIND), -1):
        parameters = _parameters(lines[place]) if len(lines[place]) <= MOST_PROMPT else {}
        if parameters:
            del lines[place:]
            break
    prompt: list[str] = []
    negative: list[str] | None = None
    for line in lines:
        if negative is None and line.lstrip().startswith(_NEGATIVE):
            negative = [line.lstrip().removeprefix(_NEGATIVE).strip()]
        else:
            (prompt if negative is None else negative).append(line)
    return Infotext(
        "\n".join(prompt).strip()[:MOST_PROMPT],
        "\n".join(negative or []).strip()[:MOST_PROMPT],
        parameters,
    )


def written_with_hash(name: str) -> str:
    """A name as the WebUI writes it among the hashes."""
    return name.replace(":", "").replace(",", "").strip()


def without_tags(prompt: str) -> tuple[str, tuple[UserTag, ...]]:
    """The prompt as it reads without its LoRA tags, and these."""
    tokens = tokenise(prompt)
    tags = tuple(tag for tag in user_tags(tokens) if tag.kind in _LORA_KINDS and tag.name)
    if not any(token.kind == NETWORK for token in tokens):
        return _tidied(prompt), tags
    return _tidied("".join(token.text for token in tokens if token.kind != NETWORK)), tags


def _tidied(prompt: str) -> str:
    lines = (
        _SPARE_SPACES.sub(" ", _SPARE_COMMAS.sub(",", line)).strip(" \t,")
        for line in prompt.split("\n")
    )
    return "\n".join(line for line in lines if line)


def _parameters(line: str) -> dict[str, str]:
    found = dict(_PARAMETER.findall(line)[:_MOST_PARAMETERS])
    if (
        len(found) < _FEWEST_PARAMETERS
        or "Steps" not in found
        and "Seed" not in found
        and "Size" not in found
    ):
        return {}
    return {name.strip(): _unquoted(value.strip()) for name, value in found.items()}


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')
