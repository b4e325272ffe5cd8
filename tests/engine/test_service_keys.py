from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from stylus_ext.core.errors import StylusError
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.services import Services
from tests.chat_service.answers import completion
from tests.chat_service.server import Asked, Sent, serving


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "STYLUS_CIVITAI_KEY",
        "STYLUS_HUGGINGFACE_KEY",
        "STYLUS_CHAT_KEY",
        "OPENAI_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)


def ring(folder: Path, **chat: str) -> Services:
    return Services(folder, with_values(Settings(), {"chat": chat}))


def test_each_service_has_its_own_key(tmp_path: Path) -> None:
    keys = ring(tmp_path, chat_url="https://chat.example/v1", chat_model="small")
    for service in ("civitai", "hugging_face", "chat"):
        keys.enter_key(service, f"key-of-{service}")
        assert [one.has_key for one in keys.key_states() if one.service == service] == [True]
    assert all(one.has_key for one in keys.key_states())
    assert "key-of" not in str(list(keys.key_states()))
    assert keys.forget_key("hugging_face")
    assert [one.has_key for one in keys.key_states()] == [True, False, True]


def test_a_key_for_another_address_does_not_count(tmp_path: Path) -> None:
    ring(tmp_path, chat_url="https://chat.example/v1").enter_key("chat", "key-of-chat")
    assert not next(
        one.has_key
        for one in ring(tmp_path, chat_url="https://other.example/v1").key_states()
        if one.service == "chat"
    )


def test_a_missing_language_model_is_reported(tmp_path: Path) -> None:
    keys = ring(tmp_path, chat_url="http://127.0.0.1:9/v1", chat_model="small")
    with closing(keys), pytest.raises(StylusError):
        keys.check_key("chat")


def test_a_check_accepts_a_model_that_thinks_first(tmp_path: Path) -> None:
    """One that answers in prose where no form is asked for, as all do, and thinks before it
    answers.
    """

    def talks(requested: Asked) -> Sent:
        thinks = requested.body["max_tokens"] < 200
        message = (
            ""
            if thinks
            else json.dumps({"answer": "yes"})
            if "response_format" in requested.body
            else "ready"
        )
        return Sent(completion(message, "length" if thinks else "stop"))

    with serving(talks) as server:
        keys = ring(tmp_path, chat_url=server.url, chat_model="small")
        with closing(keys):
            assert keys.check_key("chat") == f"small at {server.url}/v1 answers."
        assert len(server.seen) == 1
