"""Adapters that the prompt calls by the same words: one of them is meant, though none by itself is
sure.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate
from stylus_ext.core.prompt.words import content_words
from stylus_ext.selection.compose.checks import ATTRIBUTES, identity, is_mentioned

LEAST = 0.03
"""Least certainty of an adapter that counts as one of several."""

COMPARABLE = 0.5
"""Least share of the group's highest certainty that the chosen one has."""

MOST = 0.9


def shared_certainties(
    candidates: Iterable[Candidate], words: Collection[str]
) -> Mapping[AdapterKey, float]:
    """The certainty that one of each group is meant, for the adapter that stands for the group.

    That is the plainest one, the most used of equals.
    """
    groups: dict[tuple[str, str, frozenset[str]], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        called = _called_words(candidate)
        if called and candidate.evidence.sure >= LEAST:
            entry = candidate.entry
            groups[entry.kind, entry.family, called].append(candidate)
    return {
        _plainest(group, words).key: _either(group) for group in groups.values() if len(group) > 1
    }


def _called_words(candidate: Candidate) -> frozenset[str]:
    evidence = candidate.evidence
    if not is_mentioned(evidence):
        return frozenset()
    called = frozenset(evidence.named) or frozenset(content_words(evidence.trigger))
    return called - ATTRIBUTES


def _either(group: Sequence[Candidate]) -> float:
    return min(MOST, 1.0 - math.prod(1.0 - candidate.evidence.sure for candidate in group))


def _plainest(group: Sequence[Candidate], words: Collection[str]) -> Candidate:
    highest = max(candidate.evidence.sure for candidate in group)
    comparable = [one for one in group if one.evidence.sure >= COMPARABLE * highest]

    def order(candidate: Candidate) -> tuple[int, int, float]:
        card = candidate.entry.card
        lacking = identity(candidate.entry).difference(words)
        return len(lacking), -(card.downloads or 0), -candidate.evidence.sure

    return min(comparable, key=order)
