"""The look that a prompt asks for, and one that it contradicts: a photo gets no cartoon cat."""

from __future__ import annotations

from collections.abc import Collection

from stylus_ext.core.composition import Candidate
from stylus_ext.core.prompt.english import english_words
from stylus_ext.core.prompt.words import content_words, entry_names, trigger_phrases
from stylus_ext.selection.compose.checks import (
    ATTRIBUTES,
    CHARACTERS,
    identity,
    is_called,
    unrequested,
)

PHOTO = frozenset("photo photograph photography photorealistic".split())
DRAWN = frozenset(
    """anime cartoon cartoonish chibi claymation comic drawing drawn illustration inked lineart
    manga painting pixel pixelart sketch toon vector watercolor""".split()
)

_LOOKS = """
    art deco, art nouveau, blueprint, charcoal, charcoal drawing, claymation, coloring book,
    cross stitch, crayon, crochet, embroidery, emblem, engraving, etching, felt, game icon, gouache,
    graffiti, icon, impasto, impasto painting, ink painting, ink wash, ink wash painting, isometric,
    knitted, lego, line art, lineart, linocut, logo, low poly, lowpoly, mosaic, oil painting,
    origami, paper cut, papercut, pencil drawing, pencil sketch, pixel art, pixelart, poster,
    silhouette, stained glass, sticker, stop motion, storybook, synthwave, tattoo, tattoo design,
    ukiyo e, vaporwave, vector art, voxel, voxel art, watercolor, watercolor painting,
    woodblock print, woodcut
"""
LOOKS = frozenset(frozenset(content_words(look)) for look in _LOOKS.split(","))

LOOK_WORDS = frozenset[str]().union(*LOOKS) | DRAWN | PHOTO

SURE_OF_UNNAMED = 0.8
"""Least certainty of a style that shares no word with the prompt."""

SURE_OF_LOOK = 0.6
"""Least certainty of a style whose name, trigger or tag is the look that the prompt names."""


def other_look(candidate: Candidate, words: Collection[str]) -> str:
    """Why its look is not that of a prompt for a photo; empty if the prompt names it anyway."""
    entry = candidate.entry
    if PHOTO.isdisjoint(words) or not DRAWN.isdisjoint(words) or entry.kind in CHARACTERS:
        return ""
    drawn = DRAWN.intersection(content_words(" ".join((entry.card.name, *entry.triggers[:1]))))
    if not drawn or is_called(candidate):
        return ""
    return f"your prompt asks for a photo, not for a {min(drawn)}"


def unrequested_style(candidate: Candidate, words: Collection[str], *, is_caption: bool) -> str:
    """Why a style is not asked for: nothing of it is named, or in a caption one ordinary word."""
    entry, evidence = candidate.entry, candidate.evidence
    if entry.kind != "style" or is_named_look(candidate, words):
        return ""
    shared = identity(entry).intersection(words)
    called = {*evidence.named, *content_words(evidence.trigger)}
    common = shared | called
    is_ordinary = common <= english_words().keys() and common.isdisjoint(LOOK_WORDS)
    by_one_word = is_caption and len(common) == 1 and is_ordinary
    is_unnamed = common <= ATTRIBUTES and evidence.sure < SURE_OF_UNNAMED
    return unrequested(entry) if by_one_word or is_unnamed else ""


def is_named_look(candidate: Candidate, words: Collection[str]) -> bool:
    """Whether it is a style for the very look that the prompt names."""
    entry, here = candidate.entry, frozenset(words)
    if entry.kind != "style":
        return False
    tags = (frozenset(content_words(tag)) for tag in entry.card.tags)
    name = frozenset(content_words(entry.card.name))
    phrases = (
        *map(frozenset, (*entry_names(entry), *trigger_phrases(entry))),
        *filter(name.intersection, tags),
    )
    return any(phrase <= here and phrase in LOOKS for phrase in phrases)
