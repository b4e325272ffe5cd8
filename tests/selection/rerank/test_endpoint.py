"""A rerank server over real sockets, of either kind, well-behaved or not; its key goes to its
origin alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.composition import Candidate, Candidates
from stylus_ext.core.errors import InvalidInput, StylusError, Unavailable
from stylus_ext.net import Key, key_for
from stylus_ext.selection.rerank import RERANK_KEY, EndpointReranker, request_formats
from tests.fakes import make_entry
from tests.rerank_server import RerankServer, serving
from tests.selection.retrieve.house import query

PROMPT = "a copper train"


@pytest.fixture(params=["cohere", "tei"])
def server(request: pytest.FixtureRequest) -> Iterator[RerankServer]:
    with serving(request.param) as running:
        yield running


@pytest.fixture
def cohere() -> Iterator[RerankServer]:
    with serving() as running:
        yield running


def found(number: int = 4) -> Candidates:
    names = [
        "Night Market",
        "Copper Train",
        "Old Train",
        "Lanterns",
        *(f"Filling {at}" for at in range(number)),
    ][:number]
    return Candidates(
        tuple(Candidate(make_entry(at + 1, name), 1 - at / 100) for at, name in enumerate(names)),
        (),
    )


def names(candidates: Candidates) -> list[str]:
    return [candidate.entry.card.name for candidate in candidates.found]


def reranker(server: RerankServer, **how: Any) -> EndpointReranker:
    return EndpointReranker(server.url, "ranker-1", lambda: None, **how)


def test_both_request_formats_rank(server: RerankServer) -> None:
    ranked = reranker(server).rerank(query(PROMPT), found())
    assert names(ranked)[:2] == ["Copper Train", "Old Train"]
    assert len(ranked.found) == 4


def test_the_way_is_tried_once(server: RerankServer) -> None:
    one = reranker(server)
    for _ in range(3):
        one.rerank(query(PROMPT), found())
    assert len(server.seen) == (3 if server.speaks == "cohere" else 4)


def test_what_is_sent(cohere: RerankServer) -> None:
    reranker(cohere).rerank(query(PROMPT), found(2))
    path, headers, body = cohere.seen[0]
    assert path == "/v1/rerank"
    assert body == {
        "model": "ranker-1",
        "query": PROMPT,
        "documents": ["Night Market. Night Market", "Copper Train. Copper Train"],
        "top_n": 2,
    }
    assert "authorization" not in headers


def test_no_more_than_wanted_are_sent_and_none_is_lost(cohere: RerankServer) -> None:
    ranked = reranker(cohere, most=5).rerank(query(PROMPT), found(12))
    assert len(cohere.seen[0][2]["documents"]) == 5
    assert sorted(names(ranked)) == sorted(names(found(12)))
    scores = [candidate.score for candidate in ranked.found]
    assert scores == sorted(scores, reverse=True)


def test_only_some_ranked(cohere: RerankServer) -> None:
    cohere.script.append(lambda body: {"results": [{"index": 3, "relevance_score": 0.9}]})
    assert names(reranker(cohere).rerank(query(PROMPT), found()))[0] == "Lanterns"


def test_the_key_goes_to_its_origin_alone(
    cohere: RerankServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLUS_RERANK_KEY", "secret-1")

    def ask() -> dict[str, str]:
        EndpointReranker(cohere.url, "m", lambda: key_for(tmp_path, cohere.url, RERANK_KEY)).rerank(
            query(PROMPT), found()
        )
        return cohere.seen[-1][1]

    assert "authorization" not in ask(), "the variable's key is Cohere's"
    monkeypatch.setenv("STYLUS_RERANK_KEY_ORIGIN", cohere.url)
    assert ask()["authorization"] == "Bearer secret-1"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"junk",
        b"[]",
        b"{}",
        b'{"results": 1}',
        b'{"results": []}',
        b'{"results": [1]}',
        b'{"results": [{"index": 99, "relevance_score": 1}]}',
        b'{"results": [{"index": 0, "relevance_score": "x"}]}',
        b'{"results": [{"index": 0, "relevance_score": NaN}]}',
        b'{"results": [{"index": true, "relevance_score": 1}]}',
        b'[{"index": 0, "score": 1}, {"index": 0, "score": 2}]',
        b'[{"index": 0}]',
        b"null",
    ],
)
def test_answers_that_rank_nothing_are_named(cohere: RerankServer, answer: bytes) -> None:
    cohere.script += [answer] * 3  # a bad body is asked for again
    with pytest.raises(Unavailable):
        reranker(cohere).rerank(query(PROMPT), found())


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "refuses the key"), (403, "refuses the key"), (500, "500"), (429, "429"), (402, "402")],
)
def test_refusals(cohere: RerankServer, status: int, said: str) -> None:
    cohere.script += [status] * 4
    with pytest.raises(StylusError, match=said) as caught:
        reranker(cohere).rerank(query(PROMPT), found())
    assert "secret" not in str(caught.value)


def test_a_key_that_the_server_repeats_is_not_repeated(cohere: RerankServer) -> None:
    cohere.script += [429] * 4
    with pytest.raises(StylusError, match=r"Bearer \(a key\)") as caught:
        EndpointReranker(cohere.url, "m", lambda: Key(cohere.url, "token-abc123")).rerank(
            query(PROMPT), found()
        )
    assert "abc123" not in str(caught.value)


def test_a_server_without_any_route(cohere: RerankServer) -> None:
    cohere.script += [404] * 5
    with pytest.raises(Unavailable):
        reranker(cohere).rerank(query(PROMPT), found())


def test_a_passing_failure_is_tried_again(cohere: RerankServer) -> None:
    cohere.script.append(503)
    assert names(reranker(cohere).rerank(query(PROMPT), found()))[0] == "Copper Train"


def test_the_deadline_holds(cohere: RerankServer) -> None:
    cohere.script += [30.0] * 3
    with pytest.raises(Unavailable):
        reranker(cohere, deadline_s=0.4).rerank(query(PROMPT), found())


def test_nobody_there() -> None:
    with pytest.raises(Unavailable):
        EndpointReranker("http://127.0.0.1:9", "m", lambda: None).rerank(query(PROMPT), found())


def test_a_key_for_another_origin_is_not_sent(cohere: RerankServer) -> None:
    one = EndpointReranker(cohere.url, "m", lambda: Key("https://api.cohere.com", "secret"))
    one.rerank(query(PROMPT), found())
    assert "authorization" not in cohere.seen[-1][1]


@pytest.mark.parametrize(
    ("url", "routes"),
    [
        (
            "https://api.cohere.com",
            [
                "https://api.cohere.com/v1/rerank",
                "https://api.cohere.com/rerank",
                "https://api.cohere.com/rerank",
            ],
        ),
        (
            "https://api.cohere.com/v2/",
            [
                "https://api.cohere.com/v2/rerank",
                "https://api.cohere.com/v2/rerank",
                "https://api.cohere.com/rerank",
            ],
        ),
        ("http://127.0.0.1:8080/rerank", ["http://127.0.0.1:8080/rerank"] * 2),
    ],
)
def test_addresses(url: str, routes: list[str]) -> None:
    assert [route for route, _ in request_formats(url)] == routes


@pytest.mark.parametrize(
    "url",
    ["", "host", "ftp://host", "https://me:pw@host", "https://host/v1?key=1", "https://host/#x"],
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InvalidInput):
        request_formats(url)
