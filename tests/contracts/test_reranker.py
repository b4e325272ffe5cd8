"""What every `Reranker` keeps to. A new one adds a builder to `RERANKERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stylus_ext.core.ports import Reranker
from stylus_ext.selection.rerank import EndpointReranker
from tests.fakes import BagEmbedder, CosineReranker, WordReranker
from tests.rerank_server import serving
from tests.selection.retrieve.house import House, catalogue, filling, open_house, query

RERANKERS: dict[str, Callable[[], Reranker]] = {
    "cosine": lambda: CosineReranker(BagEmbedder(dimensions=256)),
    "words": WordReranker,
}
SERVED = ("cohere", "tei")
PROMPTS = (
    "a copper train at a night market",
    "mira vanthal, goggles, sky, fog",
    "",
    "\x00((",
    "夜の市場",
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path / "house", [*catalogue(), *filling(20)])
    yield opened
    opened.store.close()


@pytest.fixture(params=[*RERANKERS, *SERVED])
def reranker(request: pytest.FixtureRequest) -> Iterator[Reranker]:
    if request.param not in SERVED:
        yield RERANKERS[request.param]()
        return
    with serving(request.param) as server:
        yield EndpointReranker(server.url, "words", lambda: None, most=100, deadline_s=30.0)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_same_candidates_best_first(house: House, reranker: Reranker, prompt: str) -> None:
    found = house.find(prompt)
    ordered = reranker.rerank(query(prompt), found)
    assert {candidate.key: candidate.entry for candidate in ordered.found} == {
        candidate.key: candidate.entry for candidate in found.found
    }
    assert len(ordered.found) == len(found.found)
    scores = [candidate.score for candidate in ordered.found]
    assert scores == sorted(scores, reverse=True)
    assert (ordered.spans, ordered.refused) == (found.spans, found.refused)
    assert all(0.0 <= candidate.evidence.sure <= 1.0 for candidate in ordered.found)


def test_the_order_they_came_in_is_nothing(house: House, reranker: Reranker) -> None:
    found = house.find(PROMPTS[0])
    turned = replace(found, found=found.found[::-1])
    assert reranker.rerank(query(PROMPTS[0]), found) == reranker.rerank(query(PROMPTS[0]), turned)


def test_nothing_found_stays_nothing(house: House, reranker: Reranker) -> None:
    nothing = replace(house.find(PROMPTS[0]), found=())
    assert reranker.rerank(query(PROMPTS[0]), nothing).found == ()


def test_what_speaks_of_the_prompt_comes_first(house: House, reranker: Reranker) -> None:
    found = reranker.rerank(
        query("steam trains of polished copper"), house.find("steam trains of polished copper")
    )
    assert found.found[0].entry.card.name == "Copper Train"
