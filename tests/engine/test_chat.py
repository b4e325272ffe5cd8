"""The status of language models: none, a local one, a remote one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.operations.table import perform
from stylus_ext.engine.serve import load
from stylus_ext.engine.stylus import open_stylus
from tests.chat_service.composing import answers, sensible
from tests.chat_service.server import serving
from tests.embedding_server import EmbeddingServer
from tests.fakes import Watch


def report(
    folder: Path, vectors: EmbeddingServer, composer: str = "rules", **chat: Any
) -> dict[str, Any]:
    values = {
        "encoder": {"endpoint": vectors.url, "model": "bag"},
        "chat": chat,
        "selection": {"composer": composer},
    }
    stylus = open_stylus(folder, with_values(Settings(), values))
    try:
        return perform(stylus, "status", {}, Watch())
    finally:
        stylus.close()


def test_without_a_model_the_rules_alone_compose(folder: Path, vectors: EmbeddingServer) -> None:
    status = report(folder, vectors)
    assert status["chat"] is None
    assert (status["capabilities"]["composers"], status["capabilities"]["free_composers"]) == (
        ["rules"],
        ["rules"],
    )
    assert "openai" not in str(status)


def test_the_client_is_loaded_before_the_first_plan(
    folder: Path, vectors: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "openai"]:
        monkeypatch.delitem(sys.modules, name)
    endpoint = {"encoder": {"endpoint": vectors.url, "model": "bag"}}
    for url, loaded in (("", False), ("http://127.0.0.1:9", True)):
        chat = {"chat_url": url, "chat_model": "m"}
        stylus = open_stylus(folder, with_values(Settings(), {**endpoint, "chat": chat}))
        load(stylus)
        stylus.close()
        assert ("openai" in sys.modules) is loaded


@pytest.mark.parametrize("url", ["http://localhost:11434", "http://127.0.0.1:1234/v1"])
def test_a_model_on_this_machine_receives_data_without_a_warning(
    folder: Path, vectors: EmbeddingServer, url: str
) -> None:
    status = report(folder, vectors, "chat", chat_url=url, chat_model="m")
    assert status["chat"] == {"url": url, "model": "m", "place": "machine", "key": False}
    assert status["capabilities"]["free_composers"] == ["rules", "chat"]
    assert url not in str([status["leaves_the_machine"], status["leaves_on_request"]])


def test_a_remote_model_is_listed_and_not_free(
    folder: Path, vectors: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    message = {"chat_url": "https://api.openai.com", "chat_model": "gpt-4o-mini"}
    status = report(folder, vectors, **message)
    assert status["capabilities"]["composers"] == ["rules", "chat"]
    assert status["capabilities"]["free_composers"] == ["rules"]
    assert not [line for line in status["leaves_the_machine"] if "openai" in line]
    (line,) = [line for line in status["leaves_on_request"] if "openai" in line and "24" in line]
    assert "https://api.openai.com (elsewhere), with your key" in line
    assert "sk-secret" not in str(status)
    by_itself = report(folder, vectors, "chat", **message)
    assert [line for line in by_itself["leaves_the_machine"] if "openai" in line]


def test_a_model_in_the_own_network_is_listed_and_free(
    folder: Path, vectors: EmbeddingServer
) -> None:
    status = report(folder, vectors, chat_url="http://192.168.7.7:1234", chat_model="m")
    assert "chat" in status["capabilities"]["free_composers"]
    assert "(in your own network)" in str(status["leaves_on_request"])


def test_only_the_chat_composer_uses_the_model(folder: Path, vectors: EmbeddingServer) -> None:
    with serving(answers(sensible)) as server:
        values = {
            "encoder": {"endpoint": vectors.url, "model": "bag"},
            "chat": {"chat_url": server.url, "chat_model": "m"},
        }
        stylus = open_stylus(folder, with_values(Settings(), values))
        perform(stylus, "plan", {"prompt": "a watercolor fox"}, Watch())
        stylus.warm()
        assert server.seen == []
        answer = perform(
            stylus,
            "plan",
            {"prompt": "a watercolor fox", "settings": {"selection": {"composer": "chat"}}},
            Watch(),
        )
        assert len(server.seen) == 1
        assert not [
            note for note in answer["plan"]["notes"] if note["code"] in ("chat_failed", "failed")
        ]
        stylus.close()


def test_a_secret_in_an_address_is_never_shown(folder: Path, vectors: EmbeddingServer) -> None:
    message = {"chat_url": "https://me:hidden@models.example/v1?key=hidden", "chat_model": "m"}
    values = {
        "encoder": {"endpoint": vectors.url, "model": "bag"},
        "chat": message,
        "reranking": {"rerank_url": "https://ranks.example/v1?key=hidden"},
    }
    stylus = open_stylus(folder, with_values(Settings(), values))
    try:
        reported = str([perform(stylus, name, {}, Watch()) for name in ("status", "keys")])
        plan = perform(
            stylus,
            "plan",
            {
                "prompt": "a fox",
                "settings": {"selection": {"composer": "chat", "policy": "rerank"}},
            },
            Watch(),
        )
    finally:
        stylus.close()
    assert "chat_unusable" in reported
    assert "hidden" not in reported + str(plan)


@pytest.mark.parametrize(
    ("message", "key", "why"),
    [
        ({"chat_url": "localhost:11434", "chat_model": "m"}, {}, "https://host/v1"),
        ({"chat_url": "http://localhost:1", "chat_model": ""}, {}, "chat.chat_model"),
        (
            {"chat_url": "https://api.openai.com", "chat_model": "m"},
            {"STYLUS_CHAT_KEY": "two words"},
            "key is invalid",
        ),
        (
            {"chat_url": "http://nas:8000", "chat_model": "m"},
            {"STYLUS_CHAT_KEY": "x", "STYLUS_CHAT_KEY_ORIGIN": "http://nas:8000"},
            "needs https",
        ),
    ],
)
def test_unusable_settings_are_noted_and_stop_nothing(
    folder: Path,
    vectors: EmbeddingServer,
    monkeypatch: pytest.MonkeyPatch,
    message: dict[str, str],
    key: dict[str, str],
    why: str,
) -> None:
    """`status` is where one looks for what is wrong, and what the panel stands on."""
    for name, value in key.items():
        monkeypatch.setenv(name, value)
    status = report(folder, vectors, "chat", **message)
    assert [note["code"] for note in status["notes"] if why in note["text"]] == ["chat_unusable"]
    assert status["chat"]["key"] is False
    stylus = open_stylus(
        folder,
        with_values(
            Settings(), {"encoder": {"endpoint": vectors.url, "model": "bag"}, "chat": message}
        ),
    )
    try:
        keys = perform(stylus, "keys", {}, Watch())["keys"]
        assert [one["has_key"] for one in keys if one["service"] == "chat"] == [False]
    finally:
        stylus.close()
