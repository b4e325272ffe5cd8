"""A look that the prompt contradicts: a photo of a cat gets no cartoon cat."""

from __future__ import annotations

from collections.abc import Collection

from stylus_ext.core.composition import Candidate
from stylus_ext.core.prompt.words import content_words
from stylus_ext.selection.compose.checks import CHARACTERS, is_called

PHOTO = frozenset("photo photograph photography photorealistic".split())
DRAWN = frozenset(
    """anime cartoon cartoonish chibi claymation comic drawing drawn illustration inked lineart
    manga painting pixel pixelart sketch toon vector watercolor""".split()
)


def other_look(candidate: Candidate, words: Collection[str]) -> str:
    """Why its look is not that of a prompt for a photo; empty if the prompt names it anyway."""
    entry = candidate.entry
    if PHOTO.isdisjoint(words) or not DRAWN.isdisjoint(words) or entry.kind in CHARACTERS:
        return ""
    drawn = DRAWN.intersection(content_words(" ".join((entry.card.name, *entry.triggers[:1]))))
    if not drawn or is_called(candidate):
        return ""
    return f"your prompt asks for a photo, not for a {min(drawn)}"
