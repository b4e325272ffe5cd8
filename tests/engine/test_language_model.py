"""The language model's shared client, key, place and price."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import Chat
from stylus_ext.engine.language_model import LanguageModel
from stylus_ext.llm import Price
from tests.chat_service.answers import says
from tests.chat_service.server import serving


def test_without_a_server_there_is_no_client(tmp_path: Path) -> None:
    access = LanguageModel(tmp_path, Chat())
    assert not access.on
    assert access.free_composers == ("rules",)
    assert not access.has_key()
    with pytest.raises(InvalidInput, match="--chat-url"):
        access.client()
    with pytest.raises(InvalidInput, match="--chat-url"):
        access.enter_key("sk-1")


def test_the_client_is_shared_until_a_key_is_entered(tmp_path: Path) -> None:
    access = LanguageModel(
        tmp_path, Chat(chat_url="https://example.com/v1", chat_model="m", temperature=0.5)
    )
    first = access.client()
    assert access.client() is first
    assert first.endpoint.temperature == 0.5
    assert access.enter_key("sk-1") == "https://example.com"
    assert access.has_key()
    second = access.client()
    assert second is not first
    assert second.endpoint.key is not None
    assert access.forget_key()
    assert access.client().endpoint.key is None
    access.close()


@pytest.mark.parametrize(
    ("url", "free"),
    [
        ("http://localhost:11434", True),
        ("http://192.168.0.9:1234/v1", True),
        ("https://api.openai.com", False),
    ],
)
def test_a_model_in_the_own_network_is_free(tmp_path: Path, url: str, free: bool) -> None:
    assert LanguageModel(tmp_path, Chat(chat_url=url, chat_model="m")).free_composers == (
        ("rules", "chat") if free else ("rules",)
    )


def test_prices_in_the_settings_are_used(tmp_path: Path) -> None:
    message = Chat(chat_url="https://example.com", chat_model="m", price_in=1.0, price_out=0.0)
    assert LanguageModel(tmp_path, message).endpoint().pays == Price(1.0, 0.0)
    assert (
        LanguageModel(tmp_path, Chat(chat_url="https://example.com", chat_model="m", price_in=1.0))
        .endpoint()
        .pays
        is None
    )


def test_a_check_asks_one_question(tmp_path: Path) -> None:
    with serving(says({"answer": "yes"})) as server:
        access = LanguageModel(tmp_path, Chat(chat_url=server.url, chat_model="m"))
        assert access.account() == f"m at {server.url}/v1"
        access.close()
