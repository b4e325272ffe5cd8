"""The negative prompt in, the phrases that forbid something out."""

from __future__ import annotations

from stylus_ext.core.prompt.parse import Prompt
from stylus_ext.core.prompt.pieces import pieces
from stylus_ext.core.prompt.stock import is_fault
from stylus_ext.core.prompt.words import content_words

Veto = frozenset[tuple[str, ...]]

FAINT = 0.5  # a phrase with less attention than this is a nuance, not a veto


def vetoed(negative: Prompt) -> Veto:
    """The content of a negative prompt as word tuples, without what every negative prompt says."""
    return frozenset(
        tuple(content_words(piece.text))
        for piece in pieces(negative)
        if piece.role == "content" and piece.weight >= FAINT and not is_fault(piece.text)
    )
