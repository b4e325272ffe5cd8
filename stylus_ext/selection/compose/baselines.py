"""The paper's baselines: the first candidates of a simple policy, without a composer."""

from __future__ import annotations

from dataclasses import dataclass

from stylus_ext.core.composition import Candidate, Candidates, Composition
from stylus_ext.core.ports import Query
from stylus_ext.selection.compose.rules import CompositionState, RuleComposer

BASELINES = frozenset(("cosine", "lexical", "random"))
BASELINE_PICKS = 3
"""As in the paper, whose baselines merge the first three."""


@dataclass(slots=True)
class BaselineState(CompositionState):
    """Takes candidates in the retriever's order; only limits, families and user edits count."""

    def _in_order(self) -> list[Candidate]:
        return sorted(
            self.candidates.found, key=lambda candidate: candidate.entry.edits.state != "always"
        )

    def _against(self, candidate: Candidate) -> str:
        if self.own.has(candidate.entry):
            return "you wrote it into the prompt"
        if len(self.picks) >= min(BASELINE_PICKS, self.places_left):
            return self._full()
        return self._other_family(candidate.entry.family)


class PolicyComposer(RuleComposer):
    """Implements `Composer`: the rules or, for the policies of the baselines, none."""

    def compose(self, query: Query, candidates: Candidates) -> Composition:
        if query.limits.policy in BASELINES:
            return BaselineState.begin(query, candidates).finish()
        return super().compose(query, candidates)
