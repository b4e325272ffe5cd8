"""What every Embedder does: the fake, the real model, and an endpoint."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from stylus_ext.catalogue.embedders import EndpointEmbedder
from stylus_ext.core.ports import Embedder
from tests.embedding_server import serving
from tests.fakes import BagEmbedder
from tests.real_model import real_embedder

TEXTS = [
    "a graffiti of a corgi on the wall",
    "corgi",
    "",
    "狗 🐕 собака",
    "\ud800 half a pair",
    "nul \0 and \x1b",
    "x" * 20_000,
]


@pytest.fixture(params=["bag", "model", "endpoint"])
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    if request.param == "bag":
        yield BagEmbedder()
    elif request.param == "model":
        yield real_embedder()
    else:
        with serving() as server:
            there = EndpointEmbedder(server.url, "bag")
            yield there
            there.close()


def test_every_text_gets_a_unit_vector(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_neighbours_in_a_batch_change_nothing(embedder: Embedder) -> None:
    alone = [embedder.embed([text + " !"])[0] for text in TEXTS]
    together = embedder.embed(
        [*(text + " !" for text in TEXTS), *(f"{number} others" for number in range(70))]
    )
    assert np.abs(together[: len(TEXTS)] - np.array(alone)).max() < 1e-6


def test_the_order_of_texts_is_kept(embedder: Embedder) -> None:
    texts = [f"{word} number {number}" for number, word in enumerate(["cat", "tower", "sea"] * 40)]
    forth, back = embedder.embed(texts), embedder.embed(texts[::-1])
    assert np.abs(forth - back[::-1]).max() < 1e-6


def test_texts_alike_are_near(embedder: Embedder) -> None:
    corgi, welsh, tower = embedder.embed(["a corgi", "a welsh corgi", "steel skyscraper"])
    assert corgi @ welsh > 0.5
    assert corgi @ welsh > corgi @ tower + 0.2


def test_no_texts_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_the_name_is_one_line_and_stays(embedder: Embedder) -> None:
    before = embedder.name
    embedder.embed(["x"])
    assert embedder.name == before
    assert before
    assert "\n" not in before
