"""The default retriever: words and vectors, cards and examples, the whole prompt and its spans,
fused into one ranking.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np

from stylus_ext.backends.retrievers.catalogue import LexicalCatalogue
from stylus_ext.backends.retrievers.confidence import confidence
from stylus_ext.backends.retrievers.diversity import diverse
from stylus_ext.backends.retrievers.evidence import Said, evidence
from stylus_ext.backends.retrievers.facts import ALWAYS
from stylus_ext.backends.retrievers.features import Features, features
from stylus_ext.backends.retrievers.filters import Gate
from stylus_ext.backends.retrievers.lexical import Called, LexicalIndex
from stylus_ext.backends.retrievers.pool import pool
from stylus_ext.backends.retrievers.postings import Floats, Ints
from stylus_ext.backends.retrievers.question import Question, question
from stylus_ext.backends.retrievers.weights import ranker
from stylus_ext.core.candidates import Candidate, Candidates, NearMiss
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.description import Entry
from stylus_ext.core.ports import Embedder, Query, Store, VectorIndex

MOST_REFUSED = 10
CLOSE = 0.2
"""Surety from which something that may not be used is told of: what was never near is no near miss.
"""

TELLING = 4.5
"""Nats that the words of a name or trigger must tell, all told, to call an adapter; the composer's
measure too.
"""

SPARE = 30
"""Entries read beyond those asked for, since some will be refused."""

_REMEMBERED = 4096


@dataclass(slots=True)
class EntryMemory:
    """Entries read lately, forgotten when the catalogue moves on."""

    store: Store
    _state: tuple[str, int] = ("", -1)
    _kept: OrderedDict[AdapterKey, Entry] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def read(self, keys: Sequence[AdapterKey]) -> dict[AdapterKey, Entry]:
        state = self.store.identity, self.store.revision
        with self._lock:
            if state != self._state:
                self._kept.clear()
                self._state = state
            found = {key: self._kept[key] for key in keys if key in self._kept}
        fresh = self.store.read([key for key in keys if key not in found])
        with self._lock:
            if state == self._state:
                self._kept.update(fresh)
                while len(self._kept) > _REMEMBERED:
                    self._kept.popitem(last=False)
        return {**found, **fresh}


@dataclass(frozen=True, slots=True)
class Tools:
    """What every policy works with."""

    catalogue: LexicalCatalogue
    memory: EntryMemory
    vectors: VectorIndex
    embedder: Embedder


class HybridRetriever:
    """Implements `Retriever`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def find(self, query: Query) -> Candidates:
        lexical = self._tools.catalogue.current()
        asked = question(query, lexical, self._tools.embedder)
        gate = Gate.of(query, lexical)
        rows, called = pool(asked, query, lexical, self._tools.vectors, gate)
        rows = np.union1d(rows, np.flatnonzero(gate.open & lexical.facts.has(ALWAYS))).astype(
            np.int32
        )
        found = features(asked, lexical, self._tools.vectors, rows, called)
        scores = self._scores(found, asked)
        ranked, refused = self._ranked(query, gate, lexical, asked, found, scores)
        refused += self._misfits(gate, lexical, called)
        most = query.limits.candidates
        wanted = (
            candidate for candidate in ranked[most:] if candidate.entry.edits.state == "always"
        )
        best = (*ranked[:most], *wanted)
        return Candidates(
            best,
            tuple(asked.spans[number] for number in asked.tasks),
            confidence(best),
            tuple(refused[:MOST_REFUSED]),
        )

    def _scores(self, found: Features, asked: Question) -> Floats:
        return ranker().scores(found.values, asked.is_tags)

    def _ranked(
        self,
        query: Query,
        gate: Gate,
        lexical: LexicalIndex,
        asked: Question,
        found: Features,
        scores: Floats,
    ) -> tuple[list[Candidate], list[NearMiss]]:
        places = _order(lexical, found.rows, scores, query.limits.candidates + SPARE)
        keys = lexical.keys_of(found.rows[places])
        entries = self._tools.memory.read(keys)
        said = Said.of(asked)
        sure = ranker().sureties(found.values, asked.is_tags, int(np.count_nonzero(gate.open)))
        kept: list[Candidate] = []
        refused: list[NearMiss] = []
        for key, at in zip(keys, places, strict=True):
            entry = entries.get(key)
            if entry is None:
                continue
            score = round(float(scores[at]) * gate.factor(entry), 5)
            reason = gate.refusal(entry, bool(found.values[at, 5:7].max() ** 2 >= TELLING))
            if reason:
                if sure[at] >= CLOSE:
                    refused.append(NearMiss(key, entry.card.name, reason, score))
                continue
            whole, spans = evidence(entry, at, found, asked, said)
            kept.append(
                Candidate(
                    entry,
                    score,
                    replace(whole, sure=round(float(sure[at]), 5)),
                    spans,
                    tuple(found.values[at].tolist()),
                )
            )
        ranked, aside = diverse(
            sorted(kept, key=lambda candidate: (-candidate.score, gate.factor(candidate.entry) < 1))
        )
        return ranked, refused + aside

    def _misfits(self, gate: Gate, lexical: LexicalIndex, called: Called) -> list[NearMiss]:
        """Adapters that the prompt calls by name or trigger, or that the user wants always, but
        that the gate keeps out.
        """
        kept_out = ~gate.open & lexical.alive
        pinned = np.flatnonzero(kept_out & lexical.facts.has(ALWAYS))
        outside = np.flatnonzero(kept_out[called.rows] & (called.masses >= TELLING))
        ranked = called.rows[outside[np.argsort(-called.masses[outside], kind="stable")]]
        rows = np.array(
            list(dict.fromkeys([*pinned.tolist(), *ranked.tolist()]))[:MOST_REFUSED], dtype=np.int32
        )
        return list(_reasons(gate, self._tools.memory.read(lexical.keys_of(rows)).values()))


def _reasons(gate: Gate, entries: Iterable[Entry]) -> Iterable[NearMiss]:
    for entry in entries:
        reason = gate.misfit(entry)
        if reason:
            yield NearMiss(entry.key, entry.card.name, reason)


def _order(lexical: LexicalIndex, rows: Ints, scores: Floats, most: int) -> list[int]:
    """Places in `rows`, best first; `always` in any case; equal scores by downloads, then by key,
    so that it never changes.
    """
    downloads, rounded = lexical.facts.downloads[rows], np.round(scores, 4)
    pinned = np.flatnonzero((lexical.facts.flags[rows] & ALWAYS) != 0).tolist()
    order: list[int] = np.lexsort((-downloads, -rounded))[:most].tolist()
    chosen = dict.fromkeys(order + pinned)
    return sorted(chosen, key=lambda at: (-rounded[at], -downloads[at], lexical.key(int(rows[at]))))
