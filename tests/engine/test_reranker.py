"""Keys and prices of encoders; the policy `rerank` and its failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.ports import Filter
from stylus_ext.core.settings import Encoder, Reranking, Settings, with_values
from stylus_ext.engine.encoders import (
    UnusableReranker,
    embedding_cost,
    encoder_key,
    open_reranker,
    reranks_for_free,
)
from stylus_ext.engine.operations.status import free_policies
from stylus_ext.engine.stylus import open_stylus
from stylus_ext.selection.plan import PlanRequest
from tests.embedding_server import EmbeddingServer
from tests.fakes import Watch
from tests.rerank_server import serving
from tests.tiny_models import cross_encoder

OPENAI = "https://api.openai.com/v1"


def secret(folder: Path, endpoint: str) -> str:
    key = encoder_key(folder, Encoder(endpoint=endpoint))
    return "" if key is None else key.secret


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STYLUS_ENCODER_KEY", "STYLUS_ENCODER_KEY_ORIGIN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("endpoint", "key"),
    [
        (OPENAI, "theirs"),
        ("https://api.openai.com", "theirs"),
        ("https://api.openai.com.evil.example/v1", ""),
        ("http://api.openai.com/v1", ""),
        ("https://api.openai.com:8443/v1", ""),
        ("https://other.example/v1", ""),
        ("http://127.0.0.1:1/v1", ""),
        ("", ""),
        ("junk", ""),
    ],
)
def test_openais_key_is_sent_to_openai_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    assert secret(tmp_path, endpoint) == key


def test_an_entered_key_comes_first_and_is_sent_to_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    monkeypatch.setenv("STYLUS_ENCODER_KEY", "mine")
    assert secret(tmp_path, OPENAI) == "mine"
    monkeypatch.setenv("STYLUS_ENCODER_KEY_ORIGIN", "https://mine.example")
    assert secret(tmp_path, "https://mine.example/v1") == "mine"
    assert secret(tmp_path, "https://other.example/v1") == ""


def test_a_changed_address_gets_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("STYLUS_ENCODER_KEY", "mine")
    assert secret(tmp_path, "https://evil.example/v1") == ""
    assert "STYLUS_ENCODER_KEY_ORIGIN" in caplog.text
    monkeypatch.setenv("STYLUS_ENCODER_KEY_ORIGIN", "http://evil.example")
    assert secret(tmp_path, "http://evil.example/v1") == ""
    assert "needs https" in caplog.text
    assert "mine" not in caplog.text
    monkeypatch.setenv("STYLUS_ENCODER_KEY_ORIGIN", "http://192.168.1.20:8000")
    assert secret(tmp_path, "http://192.168.1.20:8000") == "mine"


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Encoder(), ""),
        (Encoder(endpoint="http://127.0.0.1:1/v1", model="text-embedding-3-large"), ""),
        (
            Encoder(endpoint=OPENAI, model="text-embedding-3-large"),
            ", at about $0.13 for a million tokens ($0.02 for 1,000 adapters)",
        ),
        (
            Encoder(endpoint="https://proxy.example", model="openai/text-embedding-3-small"),
            ", at about $0.02 for a million tokens ($0.00 for 1,000 adapters)",
        ),
        (
            Encoder(endpoint="https://proxy.example", model="mystery"),
            ", at a price that Stylus does not know",
        ),
    ],
)
def test_the_cost_of_embedding_is_stated(encoder: Encoder, message: str) -> None:
    assert embedding_cost(encoder) == message


def planned(folder: Path, vectors: EmbeddingServer, **reranking: Any) -> list[str]:
    """The codes of the notes of a plan with the policy."""
    settings = with_values(
        Settings(),
        {
            "encoder": {"endpoint": vectors.url, "model": "bag"},
            "reranking": reranking,
            "selection": {"policy": "rerank"},
        },
    )
    stylus = open_stylus(folder, settings)
    try:
        stylus.catalogue.load_starter(Watch())
        assert stylus.catalogue.store.search("", Filter(), limit=1).total
        plan = stylus.planner.plan(
            PlanRequest("a graffiti of a corgi on the wall", settings=settings)
        )
        return [note.code for note in plan.notes]
    finally:
        stylus.close()


def test_a_server_ranks_for_a_plan(tmp_path: Path, vectors: EmbeddingServer) -> None:
    with serving() as server:
        notes = planned(tmp_path, vectors, rerank_url=server.url, rerank_model="r")
        assert server.seen[0][2]["query"] == "a graffiti of a corgi on the wall"
    assert not {"no_reranker", "not_reranked"} & set(notes)


def test_a_missing_reranker_keeps_the_order_and_adds_a_note(
    tmp_path: Path, vectors: EmbeddingServer
) -> None:
    assert "not_reranked" in planned(tmp_path, vectors, rerank_url="http://127.0.0.1:9")
    assert "no_reranker" in planned(tmp_path, vectors)


def test_an_invalid_address_adds_a_note(tmp_path: Path, vectors: EmbeddingServer) -> None:
    assert "not_reranked" in planned(tmp_path, vectors, rerank_url="localhost:8080")
    refused = open_reranker(
        tmp_path, with_values(Settings(), {"reranking": {"rerank_url": "localhost:8080"}})
    )
    assert isinstance(refused, UnusableReranker)


@pytest.mark.long
def test_a_model_on_this_machine_ranks_for_a_plan(tmp_path: Path, vectors: EmbeddingServer) -> None:
    model = cross_encoder(tmp_path / "tiny")
    assert "not_reranked" not in planned(
        tmp_path / "data", vectors, rerank_model=str(model), rerank_deadline=120.0
    )
    assert open_reranker(tmp_path, Settings()) is None


@pytest.mark.parametrize(
    ("url", "free"),
    [
        ("", True),
        ("http://127.0.0.1:8080", True),
        ("http://192.168.1.5:8080/v1", True),
        ("https://api.cohere.com", False),
        ("junk", True),
    ],
)
def test_which_rerankers_are_free(url: str, free: bool) -> None:
    assert reranks_for_free(Reranking(rerank_url=url)) is free
    settings = with_values(Settings(), {"reranking": {"rerank_url": url}})
    assert ("rerank" in free_policies(settings.reranking)) is free
    assert {"hybrid", "cosine", "lexical", "random"} <= set(free_policies(settings.reranking))
