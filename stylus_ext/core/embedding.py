"""Which texts of an entry are embedded, and the fingerprint that tells vectors of different making
apart.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from stylus_ext.core.description import Entry

View = Literal["title", "card"]
VIEWS: tuple[View, ...] = ("title", "card")
"""`title`: what the adapter is called and called by. `card`: the same with what it draws."""

TEMPLATE_VERSION = 1
_MOST_TRIGGERS = 6
_MOST_TAGS = 12


def embedded_text(entry: Entry, view: View) -> str:
    card = entry.card
    parts = [card.name, ", ".join(entry.triggers[:_MOST_TRIGGERS])]
    if view == "card":
        parts += [entry.text, ", ".join(card.tags[:_MOST_TAGS])]
    else:
        parts.append(", ".join(card.tags[:_MOST_TAGS]))
    return ". ".join(part for part in parts if part)


def text_fingerprint(text: str) -> str:
    """Of the template and the text; stored beside the entry, so that nothing has to be read to see
    what changed.
    """
    return hashlib.sha256(
        f"{TEMPLATE_VERSION}\0{text}".encode("utf-8", "surrogatepass")
    ).hexdigest()[:32]


def vector_fingerprint(embedder: str, text_print: str) -> str:
    """Of all that made a vector: two vectors with the same fingerprint are the same vector."""
    return hashlib.sha256(f"{embedder}\0{text_print}".encode("utf-8", "surrogatepass")).hexdigest()[
        :32
    ]
