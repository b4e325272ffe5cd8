"""Candidates: what the retriever found for one prompt, with the evidence for each and the reasons
for what it left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry
from stylus_ext.core.errors import Note
from stylus_ext.core.prompt.spans import Span


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a candidate: lexical and cosine scores, and the words of its name or trigger
    that the text has.

    `telling` says how rare the words of that name or trigger are in this catalogue, all told
    (nats); a common word has less than 3. `sure`, in 0..1, is how sure the retriever is that the
    candidate is meant.
    """

    lexical: float = 0.0
    cosine: float = 0.0
    named: tuple[str, ...] = ()
    trigger: str = ""
    telling: float = 0.0
    sure: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry with its score for one prompt. `spans` maps the start of a span to the evidence for
    it; `signs` are the numbers that score and surety were made of, from which a ranker is trained.
    """

    entry: Entry
    score: float
    evidence: Evidence = Evidence()
    spans: Mapping[int, Evidence] = field(default_factory=dict)
    signs: tuple[float, ...] = field(default=(), repr=False)

    @property
    def key(self) -> AdapterKey:
        return self.entry.key


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An adapter that was close and was not taken, and why."""

    key: AdapterKey
    name: str
    reason: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Best first; `confidence` in 0..1 says how sure it is that anything fits at all."""

    found: tuple[Candidate, ...]
    spans: tuple[Span, ...]
    confidence: float = 1.0
    refused: tuple[NearMiss, ...] = ()
    notes: tuple[Note, ...] = ()
