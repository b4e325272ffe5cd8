"""The real model: found and loaded late, quiet, without a network, the same from any thread."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from stylus_ext.catalogue.embedders import (
    EndpointEmbedder,
    SentenceTransformerEmbedder,
    embedder_for,
)
from stylus_ext.core.errors import Unavailable
from stylus_ext.core.settings import Encoder
from stylus_ext.net import Key
from tests.catalogue.embedders.test_model_files import small_model
from tests.real_model import real_embedder

ALONE = """
import socket, sys, warnings
warnings.simplefilter("error")
def no_network(*_):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = no_network
from stylus_ext.catalogue.embedders import SentenceTransformerEmbedder
embedder = SentenceTransformerEmbedder(threads=1)
assert "torch" not in sys.modules
assert embedder.name.startswith("all-MiniLM-L6-v2@") and embedder.name.endswith("/256"), embedder.name
assert "torch" not in sys.modules
embedder.warm()
import torch
assert torch.get_num_threads() == 1
vectors = embedder.embed(["corgi", "skyscraper", "Welsh corgi"])
assert vectors.shape == (3, 384) == (3, embedder.dimensions)
assert vectors[0] @ vectors[2] > 0.7 > 0.2 > vectors[0] @ vectors[1], vectors @ vectors.T
"""  # noqa: E501


def test_loaded_late_and_quietly_and_without_a_network() -> None:
    ran = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_threads_share_one_model() -> None:
    embedder = real_embedder()
    texts = [f"a castle number {number} in the rain" for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        each = list(pool.map(lambda text: embedder.embed([text])[0], texts))
    together = embedder.embed([f"{text} " for text in texts])  # the space hides the kept vectors
    assert np.abs(np.array(each) - together).max() < 1e-6


def test_the_same_prompt_is_not_encoded_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = real_embedder()
    first = embedder.embed(["a lighthouse at dusk"])
    monkeypatch.setattr(
        "sentence_transformers.SentenceTransformer.encode",
        lambda *_, **__: pytest.fail("it was encoded again"),
    )
    assert np.array_equal(embedder.embed(["a lighthouse at dusk"]), first)


def test_a_folder_that_does_not_load_gets_a_sentence(tmp_path: Path) -> None:
    embedder = SentenceTransformerEmbedder(str(small_model(tmp_path / "mine")))
    assert embedder.name.endswith("/128")
    with pytest.raises(Unavailable, match="cpu"):
        embedder.embed(["x"])


def test_a_device_that_is_not_there_gets_a_sentence() -> None:
    with pytest.raises(Unavailable, match="nonsense"):
        SentenceTransformerEmbedder(device="nonsense").warm()


def test_the_settings_choose() -> None:
    here = embedder_for(Encoder(threads=1))
    assert isinstance(here, SentenceTransformerEmbedder)
    assert here.name == real_embedder().name
    there = embedder_for(
        Encoder(model="text-embedding-3-small", endpoint="http://127.0.0.1:9/v1"),
        Key("http://127.0.0.1:9", "sk-1"),
    )
    assert isinstance(there, EndpointEmbedder)
    assert there.name == "text-embedding-3-small at http://127.0.0.1:9/v1"
    shorter = embedder_for(
        Encoder(model="text-embedding-3-large", endpoint="http://127.0.0.1:9/v1", dimensions=1024)
    )
    assert shorter.name == "text-embedding-3-large with 1024 dimensions at http://127.0.0.1:9/v1"


def test_its_name_and_size_are_said_while_it_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks an engine how it is must not wait for the seconds that this takes."""
    began, go_on = threading.Event(), threading.Event()

    def held(*_: object, **__: object) -> None:
        began.set()
        go_on.wait(20)
        raise OSError("as the test wants it")

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", held)
    embedder = SentenceTransformerEmbedder()
    with ThreadPoolExecutor(2) as pool:
        loading = pool.submit(embedder.warm)
        assert began.wait(20)
        assert pool.submit(lambda: embedder.name).result(20).startswith("all-MiniLM-L6-v2@")
        assert embedder.dimensions == 384
        go_on.set()
        with pytest.raises(Unavailable):
            loading.result(20)
