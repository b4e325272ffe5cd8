"""Types of adapters, and which embeddings are for the negative prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

LORA, EMBEDDING, HYPERNETWORK = "lora", "embedding", "hypernetwork"
ADAPTER_TYPES = (LORA, EMBEDDING, HYPERNETWORK)
TYPE_NAMES = {LORA: "LoRA", EMBEDDING: "embedding", HYPERNETWORK: "hypernetwork"}
"""Each has folders of its own. StyleInject files lie among the LoRAs: their format tells them."""

OtherFolders = Mapping[str, Sequence[str]]
"""The folders of adapters that are no LoRAs, by type."""
NO_OTHERS: OtherFolders = {}

_NAME = re.compile(
    r"""(?ix)
    .*negative.* | .*(?<![a-z])neg(?:[-_. ]?v?\d.*)? | (?:fast|easy|simple|real|deep)[-_ ]?neg.*
    | ng[-_ ]?deep.* | un(?:aesthetic|realistic|speakable).*
    | (?:very[-_ ]?)?bad[-_ ]?(?:hand|prompt|artist|dream|pic|image|x|quality|anatomy).*
    | bad[-_ \w]*[-_ ]?v?\d+[-_. \w]*
    """
)
_PHRASE = re.compile(
    r"""(?ix)
    \bnegative\s+(?:embedding|textual\s+inversion|ti)\b
    | \b(?:use|used|using|put|add|place|insert|write|type)\b[^.\n]{0,40}
      \b(?:in|to|into|as|for)\s+(?:the\s+|your\s+|a\s+)?negatives?\b(?!\s+space)
    """
)


def is_negative(name: str, tags: Iterable[str], text: str) -> bool:
    """Whether an embedding is for the negative prompt, by what its card states."""
    labels = {" ".join(tag.replace("_", " ").casefold().split()) for tag in tags}
    return (
        _NAME.fullmatch(name.strip()) is not None
        or any(label.startswith("negative") for label in labels)
        or _PHRASE.search(text) is not None
    )
