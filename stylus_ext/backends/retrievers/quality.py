"""An entry in, what is poor about it out. Only what is not on disk is judged: a file that somebody
has is wanted.
"""

from __future__ import annotations

from stylus_ext.core.description import Entry

FEWEST_IMAGES = 3
"""Cards with fewer example images, where images are known, are left out, as the paper does."""

POOR_RATING = 0.7
"""Share of the votes that are for it. Nearly all adapters have nine tenths and more."""

_LEFT_OUT = ("table rpg",)
"""Names that the paper's code leaves out, besides sliders, of which `demands` speaks."""


def poor(entry: Entry) -> str:
    """Why an entry is not good enough to be proposed; empty where nothing is known against it."""
    card = entry.card
    if entry.files:
        return ""
    if card.images is not None and card.images < FEWEST_IMAGES:
        return f"its page has fewer than {FEWEST_IMAGES} example images, and it is not on disk"
    if card.rating is not None and card.rating < POOR_RATING:
        return f"only {card.rating:.0%} of those who rated it like it, and it is not on disk"
    if any(name in card.name.casefold() for name in _LEFT_OUT):
        return "the paper leaves adapters of that name out, and it is not on disk"
    return ""
