"""How sure it is that a candidate is meant, and that anything fits at all.

The ranker's line rises with everything in it, so that more evidence never makes less sure. It is
found by telling adapters that people, or the paper's composer, used from the best that other
prompts have for which nothing fits. What lies above 0 on it, half sure, is what 95 % of prompts for
which nothing fits do not have: captions told by words, and tag prompts of people who used no
adapter.
"""

from __future__ import annotations

from collections.abc import Sequence

from stylus_ext.core.candidates import Candidate


def confidence(candidates: Sequence[Candidate]) -> float:
    return max((candidate.evidence.sure for candidate in candidates), default=0.0)
