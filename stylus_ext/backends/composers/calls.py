"""Evidence in, whether the prompt calls an adapter by its name or a trigger word out."""

from __future__ import annotations

from stylus_ext.backends.composers.everyday import COMMON
from stylus_ext.core.candidates import Evidence
from stylus_ext.core.prompt.words import content_words

DISTINCTIVE = 4.5
"""Nats that the words of a name or trigger must tell to stand for themselves; a word that every
hundredth card has tells 4.6.
"""

COINED = 6.0
"""Nats that each word must tell which hardly another card has."""

CLOSE_ENOUGH = 0.45
"""Cosine with the prompt that counts as second evidence for a name that is a common word."""


def is_called(seen: Evidence) -> bool:
    """The prompt has its name or a trigger word, and that is no common word, or there is more that
    speaks for it.
    """
    if not (seen.named or seen.trigger):
        return False
    return is_distinctive(seen) or len(seen.named) > 1 or seen.cosine >= CLOSE_ENOUGH


def is_coined(seen: Evidence) -> bool:
    """Words that nobody else's card has: who writes them means this adapter and no other."""
    counts = [count for count in (len(seen.named), len(set(content_words(seen.trigger)))) if count]
    return is_distinctive(seen) and seen.telling >= COINED * min(counts)


def is_distinctive(seen: Evidence) -> bool:
    """The words of the name or trigger are rare here, and more than one everyday word."""
    if not (seen.named or seen.trigger):
        return False
    words = {*seen.named, *content_words(seen.trigger)}
    return seen.telling >= DISTINCTIVE and not (len(words) == 1 and words <= COMMON)
