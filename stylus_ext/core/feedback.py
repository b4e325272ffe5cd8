"""Feedback: adapters the user marked as wrong for a prompt, and the effect on similar prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates, NearMiss
from stylus_ext.core.prompt.words import content_words

ALIKE = 0.4
"""Share of words in common from which one prompt is like another."""

REFUSED = 0.9
"""Doubt from which an adapter is not picked: one verdict on this prompt, or two on similar ones."""

_UNRELATED = 0.1
"""Weight of a verdict for an unrelated prompt: what is wrong everywhere is doubted everywhere."""

_STEP = 0.7


@dataclass(frozen=True, slots=True)
class Verdict:
    """How often the user marked this adapter as wrong for this prompt."""

    key: AdapterKey
    prompt: str
    times: int = 1


class Feedback(Protocol):
    """Stores verdicts; they survive any change of the catalogue."""

    @property
    def mark(self) -> str:
        """Changes whenever the stored verdicts change."""
        ...

    def tell(self, key: AdapterKey, prompt: str, *, wrong: bool) -> None:
        """Count one more verdict, or with `wrong` false delete those for exactly this prompt."""
        ...

    def all(self) -> tuple[Verdict, ...]: ...


@dataclass(frozen=True, slots=True)
class Doubt:
    """The verdicts against an adapter; `same`: one of them is for this exact prompt."""

    weight: float
    times: int
    same: bool

    @property
    def reason(self) -> str:
        count = "" if self.times == 1 else "twice " if self.times == 2 else f"{self.times} times "  # noqa: PLR2004
        similar = "for a prompt like this" if self.times == 1 else "for prompts like this"
        where = "for this prompt" if self.same else similar
        return f"you said {count}that it was wrong {where}"


def likeness(first: frozenset[str], second: frozenset[str]) -> float:
    """Similarity of two prompts (0..1) by shared words."""
    both = len(first) + len(second)
    return 2 * len(first & second) / both if both else 1.0


def doubts(verdicts: Iterable[Verdict], prompt: str) -> dict[AdapterKey, Doubt]:
    """Return the doubts about adapters for this prompt, by first key."""
    here = frozenset(content_words(prompt))
    found: dict[AdapterKey, Doubt] = {}
    for verdict in verdicts:
        like = likeness(here, frozenset(content_words(verdict.prompt)))
        alike = like >= ALIKE
        before = found.get(verdict.key, Doubt(0.0, 0, same=False))
        found[verdict.key] = Doubt(
            before.weight + verdict.times * (like if alike else _UNRELATED),
            before.times + verdict.times * alike,
            before.same or like == 1.0,
        )
    return {key: doubt for key, doubt in found.items() if doubt.times or doubt.weight >= REFUSED}


def apply_feedback(candidates: Candidates, found: Mapping[AdapterKey, Doubt]) -> Candidates:
    """Refuse or lower doubted candidates, except those that are always used."""
    kept: list[Candidate] = []
    refused: list[NearMiss] = []
    for candidate in candidates.found:
        doubt = found.get(candidate.key)
        if doubt is None or candidate.entry.edits.state == "always":
            kept.append(candidate)
        elif doubt.weight >= REFUSED:
            many = "you said of many other prompts that it was wrong there"
            reason = doubt.reason if doubt.times else many
            name, sure = candidate.entry.card.name, candidate.evidence.sure
            refused.append(NearMiss(candidate.key, name, reason, sure))
        else:
            kept.append(_less_sure(candidate, doubt))
    return replace(candidates, found=tuple(kept), refused=(*refused, *candidates.refused))


def _less_sure(candidate: Candidate, doubt: Doubt) -> Candidate:
    factor = 1 - _STEP * min(1.0, doubt.weight)
    spans = {
        start: replace(seen, sure=round(seen.sure * factor, 5))
        for start, seen in candidate.spans.items()
    }
    return replace(
        candidate,
        score=round(candidate.score * factor, 5) if candidate.score > 0 else candidate.score,
        spans=spans,
        evidence=replace(candidate.evidence, sure=round(candidate.evidence.sure * factor, 5)),
    )


def explain(reason: str, doubt: Doubt | None) -> str:
    """Add the user's earlier verdicts to the reason of a pick or near miss."""
    return (
        reason
        if doubt is None or not doubt.times or doubt.reason in reason
        else f"{reason}; {doubt.reason}"
    )


def known_as(
    verdicts: Sequence[Verdict], names: Mapping[AdapterKey, AdapterKey]
) -> tuple[Verdict, ...]:
    return tuple(replace(verdict, key=names.get(verdict.key, verdict.key)) for verdict in verdicts)
