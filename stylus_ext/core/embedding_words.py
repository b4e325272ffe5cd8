"""How embeddings stand in a prompt: as a word, with attention where the weight is not 1."""

from __future__ import annotations

import re
from functools import lru_cache

from stylus_ext.core.prompt.parse import TEXT, number, parse_prompt


def embedding_word(stem: str, weight: float) -> str:
    """The stem, or `(stem:1.1)`; empty if the weight rounds to 0."""
    written = f"{weight:.2f}".rstrip("0").rstrip(".")
    if written in ("0", "-0"):
        return ""
    return stem if written == "1" else f"({stem}:{written})"


def why_no_word(stem: str) -> str | None:
    """Why the WebUI would not read a stem in a prompt as a word, or None."""
    tokens = parse_prompt(stem).tokens
    if stem == stem.strip() and stem.isprintable() and [token.kind for token in tokens] == [TEXT]:
        return None
    return (
        f"The file name {stem!r} cannot stand in a prompt as a word, because a part of it means"
        " something else there; rename the file."
    )


def mentions(text: str, stem: str) -> bool:
    """Whether a prompt has the stem as a word; the WebUI ignores the case."""
    return bool(stem) and _word(stem).search(text) is not None


def weight_in(text: str, stem: str) -> float:
    """The attention that a word was written with."""
    found = re.search(rf"\({re.escape(stem)}:([\d.-]+)\)", text)
    weight = None if found is None else number(found[1])
    return 1.0 if weight is None else weight


@lru_cache(maxsize=1024)
def _word(stem: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w<:-]){re.escape(stem)}(?![\w-])", re.IGNORECASE)
