"""The default retriever: words and vectors, cards and examples, the whole prompt and its spans,
fused into one ranking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Candidate, Candidates, NearMiss
from stylus_ext.core.entry import Entry
from stylus_ext.core.lru import LruCache
from stylus_ext.core.ports import Embedder, Hit, Query, Store, VectorIndex
from stylus_ext.selection.lexical.catalogue import LexicalCatalogue
from stylus_ext.selection.lexical.facts import ALWAYS
from stylus_ext.selection.lexical.index import LexicalIndex, NameMatches, QueryWords
from stylus_ext.selection.lexical.postings import Floats, Ints
from stylus_ext.selection.ranker import ranker
from stylus_ext.selection.retrieve.evidence import Said, diverse, evidence
from stylus_ext.selection.retrieve.features import Features, features
from stylus_ext.selection.retrieve.filters import Gate
from stylus_ext.selection.retrieve.question import RetrievalQuery, question


def confidence(candidates: Sequence[Candidate]) -> float:
    return max((candidate.evidence.sure for candidate in candidates), default=0.0)


PER_SPAN = 30
MOST_CALLED = 200
FEW = 4_000
"""Where no more than this many entries may be found at all, each of them is looked at."""

POOL_MIN_IDF = 0.7
"""Words that stand in more than half of all cards find nobody; they still count in the features."""


def pool(
    question: RetrievalQuery, query: Query, lexical: LexicalIndex, vectors: VectorIndex, gate: Gate
) -> tuple[Ints, NameMatches]:
    called = lexical.called(question.words)
    allowed = np.flatnonzero(gate.open)
    if len(allowed) <= FEW:
        return allowed.astype(np.int32), called
    most = max(150, query.limits.candidates)
    found = [
        *_by_words(question.words, lexical, gate.open, most),
        _called(called, gate.open),
        *_by_vectors(question, lexical, vectors, gate, most),
    ]
    rows = np.unique(np.concatenate(found))
    return rows[gate.open[rows]].astype(np.int32), called


def _by_words(
    words: QueryWords, lexical: LexicalIndex, allowed: NDArray[np.bool_], most: int
) -> Iterator[NDArray[np.int64]]:
    telling = words.idf >= POOL_MIN_IDF
    asked = QueryWords(
        tuple(word for word, keep in zip(words.words, telling, strict=True) if keep),
        words.idf[telling],
    )
    for scores in (lexical.card_scores(asked), lexical.example_scores(asked)):
        yield _best(np.where(allowed, scores, 0), most)


def _best(scores: Floats, most: int) -> NDArray[np.int64]:
    some = np.flatnonzero(scores > 0)
    if len(some) > most:
        some = some[np.argpartition(-scores[some], most - 1)[:most]]
    return some


def _called(called: NameMatches, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    mine = np.flatnonzero(allowed[called.rows])
    if len(mine) > MOST_CALLED:
        mine = mine[np.argsort(-called.masses[mine], kind="stable")[:MOST_CALLED]]
    return called.rows[mine].astype(np.int64)


def _by_vectors(
    question: RetrievalQuery, lexical: LexicalIndex, vectors: VectorIndex, gate: Gate, most: int
) -> Iterator[NDArray[np.int64]]:
    """Spans of captions search by themselves; of tag prompts only the whole, since their tags are
    words.
    """
    rough = question.span_vectors[: len(question.weighed_embedded)]
    alone = np.concatenate([question.vector, rough]) if not question.is_tags else question.vector
    yield _rows(vectors.search("card", question.vector, most, gate.families)[0], lexical)
    for number, hits in enumerate(vectors.search("title", alone, most, gate.families)):
        yield _rows(hits if number == 0 else hits[:PER_SPAN], lexical)


def _rows(hits: list[Hit], lexical: LexicalIndex) -> NDArray[np.int64]:
    """The vectors may be a moment behind or ahead of the store: who is unknown here is passed
    over.
    """
    return np.array(
        [lexical.rows[str(hit.key)] for hit in hits if str(hit.key) in lexical.rows], dtype=np.int64
    )


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
    _kept: LruCache[AdapterKey, Entry] = field(default_factory=lambda: LruCache(_REMEMBERED))
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

    def _scores(self, found: Features, asked: RetrievalQuery) -> Floats:
        return ranker().scores(found.values, asked.is_tags)

    def _ranked(
        self,
        query: Query,
        gate: Gate,
        lexical: LexicalIndex,
        asked: RetrievalQuery,
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

    def _misfits(self, gate: Gate, lexical: LexicalIndex, called: NameMatches) -> list[NearMiss]:
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
