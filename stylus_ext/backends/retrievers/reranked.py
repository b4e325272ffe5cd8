"""The hybrid ranking, put in order anew by a reranker; without one, or when it fails, as it was and
with a note.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from stylus_ext.backends.retrievers.confidence import confidence
from stylus_ext.backends.retrievers.hybrid import HybridRetriever, Tools
from stylus_ext.core.candidates import Candidate, Candidates
from stylus_ext.core.errors import Cancelled, Note, StylusError
from stylus_ext.core.ports import Query, Reranker

log = logging.getLogger(__name__)

NO_RERANKER = Note(
    "no_reranker",
    "No reranker is set up, so the policy `rerank` found candidates as `hybrid` does.",
)


class RerankedRetriever(HybridRetriever):
    """Implements `Retriever`. Whatever the reranker does, nothing is added to what was found, and
    nothing lost.
    """

    def __init__(self, tools: Tools, reranker: Reranker | None) -> None:
        super().__init__(tools)
        self._reranker = reranker

    def find(self, query: Query) -> Candidates:
        found = super().find(query)
        if self._reranker is None:
            return replace(found, notes=(*found.notes, NO_RERANKER))
        try:
            ordered = self._reranker.rerank(query, found)
        except Cancelled:
            raise
        except StylusError as error:
            log.warning("not reranked: %s", error)
            return replace(
                found,
                notes=(
                    *found.notes,
                    Note("not_reranked", f"The candidates were not put in order anew: {error}"),
                ),
            )
        best = _whole(found, ordered)
        return replace(
            found, found=best, confidence=confidence(best), notes=(*found.notes, *ordered.notes)
        )


def _whole(found: Candidates, ordered: Candidates) -> tuple[Candidate, ...]:
    """What the reranker scored, best first, each once; then what it left out, with scores that say
    so.
    """
    known = {candidate.key for candidate in found.found}
    scored: dict[object, Candidate] = {}
    for candidate in sorted(ordered.found, key=lambda candidate: -candidate.score):
        if candidate.key in known:
            scored.setdefault(candidate.key, candidate)
    lowest = min((candidate.score for candidate in scored.values()), default=0.0)
    rest = (candidate for candidate in found.found if candidate.key not in scored)
    return (
        *scored.values(),
        *(replace(candidate, score=min(candidate.score, lowest)) for candidate in rest),
    )
