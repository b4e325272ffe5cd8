"""Keys over HTTP: entered, tried, deleted, never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.core.errors import EngineRefusal
from stylus_ext.environment.engine_link import EngineLink
from tests import engine_process
from tests.civitai_service.service import CivitaiService, serving
from tests.embedding_server import EmbeddingServer
from tests.engine_process import engine_in_thread, finished

SECRET = "the-right-key"


@pytest.fixture
def service() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


@pytest.fixture
def link(
    service: CivitaiService,
    vectors: EmbeddingServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[EngineLink]:
    for name in (
        "STYLUS_CIVITAI_KEY",
        "STYLUS_CIVITAI_KEY_ORIGIN",
        "STYLUS_HUGGINGFACE_KEY",
        "STYLUS_CHAT_KEY",
        "OPENAI_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    settings = engine_process.endpoint_settings(vectors.url) | {
        "civitai": {"civitai_url": service.api, "request_interval": 0.0}
    }
    monkeypatch.setattr(engine_process, "endpoint_settings", lambda url: settings)
    with engine_in_thread(tmp_path / "data", vectors.url) as link:
        finished(link)
        yield link


def has(link: EngineLink) -> dict[str, bool]:
    return {one["service"]: one["has_key"] for one in link.call("POST", "/v1/keys", {})["keys"]}


def test_a_key_is_entered_tried_and_deleted(
    link: EngineLink, service: CivitaiService, tmp_path: Path
) -> None:
    assert has(link) == {"civitai": False, "hugging_face": False, "chat": False}
    text = link.call("POST", "/v1/keys", {"service": "civitai", "enter": f"  {SECRET}\n"})
    assert service.api in text["message"]
    assert SECRET not in str(text)
    assert has(link)["civitai"]
    file = tmp_path / "data" / "civitai.key"
    assert SECRET in file.read_text("utf-8")
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (
        "somebody"
        in link.call("POST", "/v1/keys", {"service": "civitai", "check": True})["message"]
    )
    assert SECRET not in str(link.call("GET", "/v1/status"))
    assert (
        "deleted"
        in link.call("POST", "/v1/keys", {"service": "civitai", "forget": True})["message"]
    )
    assert not file.exists()
    assert (
        "no key" in link.call("POST", "/v1/keys", {"service": "civitai", "forget": True})["message"]
    )


def test_a_wrong_key_is_reported(link: EngineLink) -> None:
    link.call("POST", "/v1/keys", {"service": "civitai", "enter": "wrong"})
    with pytest.raises(EngineRefusal, match="key"):
        link.call("POST", "/v1/keys", {"service": "civitai", "check": True})


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"enter": SECRET}, "Name one service"),
        ({"service": "civitai", "check": True, "forget": True}, "Name one service"),
        ({"service": "civitai", "check": True}, "no key"),
        ({"service": "hugging_face", "check": True}, "no key"),
        ({"service": "civitai", "enter": "two words"}, "key"),
        ({"service": "chat", "enter": SECRET}, "No language model"),
        ({"service": "chat", "check": True}, "No language model"),
        ({"service": "nobody"}, "'service' must be"),
    ],
)
def test_a_wrong_key_request_is_refused(
    link: EngineLink, payload: dict[str, object], words: str
) -> None:
    with pytest.raises(EngineRefusal, match=words):
        link.call("POST", "/v1/keys", payload)
