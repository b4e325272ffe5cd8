"""The negative prompt in, what must not be picked out: a candidate of that name, trigger word or tag is refused."""

from __future__ import annotations

from collections.abc import Iterable

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


def is_vetoed(veto: Veto, names: Iterable[str]) -> bool:
    """Whether one of a candidate's names, triggers or tags is exactly a phrase of the negative prompt."""
    return bool(veto) and any(tuple(content_words(name)) in veto for name in names)
