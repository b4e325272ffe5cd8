"""The endpoint's embedder against a real server that answers well, badly, late, elsewhere or not at
all.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from stylus_ext.catalogue.embedders import endpoint
from stylus_ext.catalogue.embedders.endpoint import EndpointEmbedder
from stylus_ext.core.errors import DeadlineExceeded, InvalidInput, StylusError, Unavailable
from stylus_ext.net import Key, origin_of
from tests.chat_service.server import Sent
from tests.chat_service.server import serving as chat_serving
from tests.embedding_server import Answer, EmbeddingServer, serving

OPEN: list[EndpointEmbedder] = []


def at(url: str, model: str, key: str = "", **how: Any) -> EndpointEmbedder:
    OPEN.append(EndpointEmbedder(url, model, Key(origin_of(url), key) if key else None, **how))
    return OPEN[-1]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddingServer]:
    monkeypatch.setattr(endpoint, "_FIRST_PAUSE_S", 0.01)
    with serving() as running:
        yield running
        while OPEN:
            OPEN.pop().close()


@pytest.mark.parametrize("given", ["", "https://me:secret@host/v1", "https://host/v1?key=secret"])
def test_an_invalid_address_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        EndpointEmbedder(given, "m")
    assert "secret" not in str(caught.value)


def test_batches_come_back_in_order_and_of_unit_length(server: EmbeddingServer) -> None:
    embedder = at(server.url, "m", "sk-1")
    texts = [f"text {number}" for number in range(150)]
    vectors = embedder.embed(texts)
    assert np.allclose(vectors, server.bag.embed(texts), atol=1e-6)
    assert [len(body["input"]) for _, _, body in server.seen] == [64, 64, 22]
    assert {path for path, _, _ in server.seen} == {"/v1/embeddings"}
    assert embedder.dimensions == 64
    assert embedder.name == f"m at {server.url}/v1"


def test_the_same_prompt_is_asked_once(server: EmbeddingServer) -> None:
    embedder = at(server.url, "m")
    first = embedder.embed(["a corgi", "a cat", "a corgi"])
    again = embedder.embed(["a cat", "a corgi"])
    assert np.array_equal(first[[1, 0]], again)
    assert np.array_equal(first[0], first[2])
    assert [body["input"] for _, _, body in server.seen] == [["a corgi", "a cat"]]


def test_long_and_empty_texts_are_made_fit(server: EmbeddingServer) -> None:
    at(server.url, "m").embed(["", "x" * 20_000, "\udcff"])
    assert [len(text) for text in server.seen[0][2]["input"]] == [1, 2000, 1]


def test_only_what_was_entered_is_sent(
    server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-this-server")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    at(server.url, "m", "sk-1").embed(["a"])
    at(server.url, "m").embed(["a"])
    with_key, without = (headers for _, headers, _ in server.seen)
    assert with_key.pop("authorization") == "Bearer sk-1"
    assert "authorization" not in without
    assert "not-for-this-server" not in str(server.seen)
    assert set(with_key) == set(without)


def test_a_redirect_is_not_followed(server: EmbeddingServer) -> None:
    with serving() as other:
        server.script = [lambda _: (307, {"Location": f"{other.url}/v1/embeddings"}, {})]
        with pytest.raises(Unavailable):
            at(server.url, "m", "sk-1").embed(["a"])
        assert other.seen == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_passing_trouble_is_tried_again(server: EmbeddingServer, status: int) -> None:
    server.script = [status, status]
    assert at(server.url, "m").embed(["a"]).shape == (1, 64)
    assert len(server.seen) == 3
    server.script = [status] * 3
    with pytest.raises(Unavailable):
        at(server.url, "m").embed(["a"])
    assert len(server.seen) == 6


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "status 400"),
        (401, "the right one"),
        (403, "the right one"),
        (404, "does not know the model 'm'"),
    ],
)
def test_lasting_trouble_is_said_at_once(server: EmbeddingServer, status: int, said: str) -> None:
    server.script = [status]
    with pytest.raises(Unavailable, match=said) as caught:
        at(server.url, "m", "sk-hidden").embed(["a"])
    assert len(server.seen) == 1
    assert "sk-hidden" not in str(caught.value)


def vectors(*rows: Any) -> dict[str, Any]:
    return {
        "object": "list",
        "model": "m",
        "data": [{"index": at, "embedding": row} for at, row in rows],
    }


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>a page</html>",
        b"{",
        b"",
        b"null",
        b'"text"',
        {},
        {"data": None},
        {"data": "x"},
        vectors(),
        vectors((0, [1.0])),
        vectors((0, [1.0]), (0, [1.0])),
        vectors((1, [1.0]), (2, [1.0])),
        vectors((0, [1.0]), (1, [1.0, 2.0])),
        vectors((0, [0.0, 0.0]), (1, [1.0, 2.0])),
        vectors((0, [None]), (1, [1.0])),
        vectors((0, ["a"]), (1, ["b"])),
        vectors((0, 1.0), (1, 2.0)),
        vectors((0, []), (1, [])),
        vectors((None, [1.0]), (1, [1.0])),
        vectors((0, [float("nan")]), (1, [1.0])),
    ],
)
def test_a_wrong_answer_is_refused_with_a_sentence(server: EmbeddingServer, answer: Any) -> None:
    server.script = [lambda _: (200, {}, answer)] * 3  # a bad body is asked for again
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1"):
        at(server.url, "m").embed(["a", "b"])


def test_another_number_of_dimensions_is_another_model(server: EmbeddingServer) -> None:
    embedder = at(server.url, "m")
    embedder.embed(["a"])
    server.script = [lambda _: (200, {}, vectors((0, [1.0, 2.0])))]
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1"):
        embedder.embed(["b"])


def test_nobody_there(server: EmbeddingServer) -> None:
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:9"):
        at("http://127.0.0.1:9", "m").embed(["a"])


def test_the_deadline_holds(server: EmbeddingServer) -> None:
    over = threading.Event()

    def late(body: dict[str, Any]) -> Answer:
        over.wait(30)
        return 200, {}, server.good(body)

    server.script = [late] * 3
    with pytest.raises(StylusError, match=r"127\.0\.0\.1"):
        at(server.url, "m", deadline=0.3).embed(["a"])
    over.set()


def shortened(body: dict[str, Any]) -> Answer:
    """As text-embedding-3-large does: the first numbers."""
    rows = [
        [float(at + 1 + number) for number in range(body.get("dimensions", 8))]
        for at, _ in enumerate(body["input"])
    ]
    return 200, {}, vectors(*enumerate(rows))


def test_so_many_dimensions_are_asked_for_and_named(server: EmbeddingServer) -> None:
    server.script = [shortened, shortened]
    embedder = at(server.url, "large", dimensions=4)
    assert (embedder.known, embedder.dimensions, server.seen) == (4, 4, [])
    made = embedder.embed(["a", "b"])
    assert made.shape == (2, 4)
    assert np.allclose(np.linalg.norm(made, axis=1), 1.0)
    assert server.seen[0][2]["dimensions"] == 4
    assert embedder.name == f"large with 4 dimensions at {server.url}/v1"
    plain = at(server.url, "large")
    plain.embed(["a"])
    assert "dimensions" not in server.seen[1][2]
    assert plain.name == f"large at {server.url}/v1"


def test_a_model_that_cannot_be_shortened_is_said_so(server: EmbeddingServer) -> None:
    with pytest.raises(Unavailable, match=r"64.*16"):
        at(server.url, "m", dimensions=16).embed(["a"])
    server.script = [400]
    with pytest.raises(Unavailable, match="400.*dimensions"):
        at(server.url, "m", dimensions=16).embed(["b"])


def test_a_trickle_ends_with_the_deadline() -> None:
    """Each byte comes in time, the whole never does."""
    with (
        chat_serving(lambda _: Sent(b" " * 10_000, drip_s=0.02)) as slow,
        pytest.raises(DeadlineExceeded),
    ):
        at(slow.url, "m", deadline=0.5).embed(["a"])


def test_more_than_anybody_needs_is_not_read(server: EmbeddingServer) -> None:
    bomb = gzip.compress(b" " * 40_000_000)
    server.script = [lambda _: (200, {"Content-Encoding": "gzip"}, bomb)] * 3
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1"):
        at(server.url, "m").embed(["a"])


def test_a_key_of_another_address_stays_here(server: EmbeddingServer) -> None:
    OPEN.append(EndpointEmbedder(server.url, "m", Key("https://api.openai.com", "sk-1")))
    OPEN[-1].embed(["a"])
    assert "authorization" not in server.seen[0][1]
