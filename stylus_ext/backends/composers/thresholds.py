"""How sure a pick must be, from how strict the user wants it.

The two thresholds at strictness 0.5 come from the development half of the benchmark: of captions
for which nothing fits at least 95 % are left alone, and of tag prompts of people who used no
adapter at least 94 %. The sureties are calibrated by the retriever against the catalogue at hand.
"""

from __future__ import annotations

CAPTION_AT_HALF = 0.5
TAGS_AT_HALF = 0.5
LOOSEST = 0.02
SUREST = 0.98


def needed(strictness: float, is_tags: bool) -> float:
    """Straight from LOOSEST at 0 over the calibrated one at 0.5 to SUREST at 1."""
    middle = TAGS_AT_HALF if is_tags else CAPTION_AT_HALF
    if strictness <= 0.5:  # noqa: PLR2004
        return LOOSEST + (middle - LOOSEST) * strictness * 2
    return middle + (SUREST - middle) * (strictness - 0.5) * 2
