from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from stylus_ext.core.composition import Candidate, Candidates
from stylus_ext.core.errors import Cancelled, Note, StylusError, Unavailable
from stylus_ext.core.ports import Query, Reranker
from stylus_ext.selection.retrieve.retrievers import retriever_for
from tests.fakes import BagEmbedder, CosineReranker, make_entry
from tests.selection.retrieve.house import House, query

PROMPT = "a teapot in a night market, mira vanthal, fog, rain"


@dataclass
class Upside:
    """Turns the list around, and does what no reranker may."""

    stranger: bool = False
    forgets: int = 0
    notes: tuple[Note, ...] = ()

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        turned = [
            replace(candidate, score=float(at)) for at, candidate in enumerate(candidates.found)
        ]
        extra = [Candidate(make_entry(999, "Stranger"), 1e9)] if self.stranger else []
        return replace(candidates, found=(*extra, *turned[self.forgets :]), notes=self.notes)


@dataclass
class Broken:
    error: StylusError

    def rerank(self, query: Query, candidates: Candidates) -> Candidates:
        raise self.error


def find(house: House, tmp_path: Path, reranker: Reranker | None) -> tuple[Candidates, Candidates]:
    policies = retriever_for(
        house.store, house.index, house.embedder, tmp_path / "lexical", reranker
    )
    return policies("hybrid").find(query(PROMPT)), policies("rerank").find(query(PROMPT))


def keys(found: Candidates) -> list[str]:
    return [str(candidate.key) for candidate in found.found]


def test_without_one_it_is_hybrid_and_says_so(house: House, tmp_path: Path) -> None:
    hybrid, reranked = find(house, tmp_path, None)
    assert [note.code for note in reranked.notes] == ["no_reranker"]
    assert replace(reranked, notes=()) == hybrid
    assert hybrid.notes == ()


def test_the_rerankers_order_is_taken(house: House, tmp_path: Path) -> None:
    hybrid, reranked = find(house, tmp_path, Upside())
    assert keys(reranked) == keys(hybrid)[::-1]
    scores = [candidate.score for candidate in reranked.found]
    assert scores == sorted(scores, reverse=True)
    assert reranked.confidence == hybrid.confidence
    assert reranked.notes == ()


def test_a_real_one_orders_by_what_it_measures(house: House, tmp_path: Path) -> None:
    embedder = BagEmbedder(dimensions=256)
    _, reranked = find(house, tmp_path, CosineReranker(embedder))
    asked = embedder.embed([PROMPT])[0]
    cosines = [
        float(asked @ embedder.embed([f"{candidate.entry.card.name} {candidate.entry.text}"])[0])
        for candidate in reranked.found
    ]
    assert cosines == sorted(cosines, reverse=True)


def test_nothing_is_added_and_nothing_lost(house: House, tmp_path: Path) -> None:
    hybrid, reranked = find(house, tmp_path, Upside(stranger=True, forgets=3))
    assert sorted(keys(reranked)) == sorted(keys(hybrid))
    assert keys(reranked)[-3:] == keys(hybrid)[:3]
    scores = [candidate.score for candidate in reranked.found]
    assert scores == sorted(scores, reverse=True)


def test_its_notes_are_passed_on(house: House, tmp_path: Path) -> None:
    note = Note("slow", "The reranker took its time.")
    assert find(house, tmp_path, Upside(notes=(note,)))[1].notes == (note,)


def test_a_failure_leaves_the_order_and_says_why(house: House, tmp_path: Path) -> None:
    hybrid, reranked = find(house, tmp_path, Broken(Unavailable("The model is not there.")))
    assert keys(reranked) == keys(hybrid)
    assert [note.code for note in reranked.notes] == ["not_reranked"]
    assert "The model is not there." in reranked.notes[0].text


def test_stop_is_stop(house: House, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        find(house, tmp_path, Broken(Cancelled("Stopped, as you asked.")))
