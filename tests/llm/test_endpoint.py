"""Addresses and places of chat servers, prices of models, and which key goes where."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.llm import LlmEndpoint, Price, llm_key, picture_tokens, place_of, price_of
from stylus_ext.llm.server import LLM_KEY, OPENAI, base_url
from stylus_ext.net import Key, save_key


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1"),
        (" http://localhost:1234/v1/ ", "http://localhost:1234/v1"),
        ("https://API.openai.com:443/v1/chat/completions", "https://api.openai.com/v1"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        (
            "https://generativelanguage.googleapis.com",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        (
            "https://generativelanguage.googleapis.com/v1beta/",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("http://[::1]:8080/chat/completions", "http://[::1]:8080/v1"),
    ],
)
def test_addresses(given: str, wanted: str) -> None:
    assert base_url(given) == wanted
    assert base_url(wanted) == wanted


@pytest.mark.parametrize("given", ["", "https://me:secret@host/v1", "https://host/v1?key=secret"])
def test_addresses_that_are_none_or_hold_a_secret_are_refused(given: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        LlmEndpoint(given, "m")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("model", ["", "  "])
def test_a_model_has_to_be_named(model: str) -> None:
    with pytest.raises(InvalidInput, match=r"chat\.chat_model"):
        LlmEndpoint("http://localhost:1", model)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://localhost:11434/v1", "machine"),
        ("http://127.0.0.1:1234", "machine"),
        ("http://[::1]:1234", "machine"),
        ("http://0.0.0.0:8000", "machine"),
        ("http://192.168.1.20:1234", "network"),
        ("http://10.0.0.2", "network"),
        ("http://nas:11434", "network"),
        ("http://box.local", "network"),
        ("http://host.docker.internal:11434", "network"),
        ("http://[fd00::1]:80", "network"),
        ("https://api.openai.com/v1", "elsewhere"),
        ("http://8.8.8.8", "elsewhere"),
        ("https://local.example.com", "elsewhere"),
        ("https://127.0.0.1.example.com", "elsewhere"),
        ("https://localhost.example.com", "elsewhere"),
        ("http://[2606:4700::1111]/v1", "elsewhere"),
    ],
)
def test_places(url: str, place: str) -> None:
    assert place_of(url) == place
    assert LlmEndpoint(url, "m").local == (place != "elsewhere")


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o-mini", Price(0.15, 0.60)),
        ("openai/gpt-4o", Price(2.50, 10.00)),
        ("gpt-4o-2024-08-06", Price(2.50, 10.00)),
        ("gemini-2.5-flash", Price(0.30, 2.50)),
        ("models/gemini-2.5-flash-lite", Price(0.10, 0.40)),
        ("GPT-5-nano", Price(0.05, 0.40)),
        ("gpt-4o-realtime", None),
        ("qwen3:8b", None),
        ("my-gpt-4o", None),
        ("", None),
    ],
)
def test_list_prices(model: str, price: Price | None) -> None:
    assert price_of(model) == price


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-4o", 260),
        ("gpt-4o-mini", 8500),
        ("openai/gpt-4o-mini-2024-07-18", 8500),
        ("gpt-5-mini", 415),
        ("gpt-5", 210),
        ("gpt-4.1-nano", 630),
        ("gemini-2.5-flash", 260),
        ("qwen2.5vl:7b", 260),
        ("", 260),
    ],
)
def test_what_a_picture_counts(model: str, tokens: int) -> None:
    assert picture_tokens(model) == tokens


def test_who_pays() -> None:
    assert LlmEndpoint("http://localhost:1", "gpt-4o").pays == Price(0.0, 0.0)
    assert LlmEndpoint(OPENAI, "gpt-4o").pays == Price(2.50, 10.00)
    assert LlmEndpoint("https://example.com", "mine").pays is None
    assert LlmEndpoint("https://example.com", "mine", price=Price(1.0, 2.0)).pays == Price(1.0, 2.0)
    assert Price(1.0, 2.0).spent(1_000_000, 500_000).cost == 2.0


def test_openais_key_goes_to_openai_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    assert llm_key(tmp_path, OPENAI) == Key(OPENAI, "sk-theirs")
    assert llm_key(tmp_path, "https://api.openai.com.example.com/v1") is None
    assert llm_key(tmp_path, "http://api.openai.com/v1") is None
    assert llm_key(tmp_path, "http://localhost:11434") is None


def test_a_key_goes_to_the_address_it_was_entered_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key(tmp_path, LLM_KEY, Key("https://openrouter.ai", "sk-kept"))
    assert llm_key(tmp_path, "https://openrouter.ai/api/v1") == Key(
        "https://openrouter.ai", "sk-kept"
    )
    assert llm_key(tmp_path, OPENAI) is None
    monkeypatch.setenv("STYLUS_CHAT_KEY", "sk-stated")
    assert llm_key(tmp_path, OPENAI) == Key(OPENAI, "sk-stated")
    assert llm_key(tmp_path, "https://openrouter.ai/api/v1") is None
    monkeypatch.setenv("STYLUS_CHAT_KEY_ORIGIN", "https://generativelanguage.googleapis.com")
    assert llm_key(tmp_path, "https://generativelanguage.googleapis.com/v1beta/openai") is not None
    assert "sk-stated" not in repr(LlmEndpoint(OPENAI, "m", Key(OPENAI, "sk-stated")))
