from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.net.keys import api_base, is_loopback, is_private, origin_of, safe_url


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://civitai.com", "https://civitai.com"),
        ("https://Civitai.COM./api?x=1#y", "https://civitai.com"),
        ("https://civitai.com:443/", "https://civitai.com"),
        ("http://host:80", "http://host"),
        ("http://host:443", "http://host:443"),
        ("http://[::1]:8080/x", "http://[::1]:8080"),
        (" https://a.example ", "https://a.example"),
    ],
)
def test_one_origin_has_one_spelling(url: str, origin: str) -> None:
    assert origin_of(url) == origin
    assert origin_of(origin) == origin


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example@evil.example",
        "https://a.example:key@evil.example",
        "javascript:alert(1)",
        "//a.example",
        "https://a\texample",
        "https://[::1",
        "",
        "https://:80",
    ],
)
def test_what_could_be_read_in_two_ways_has_none(url: str) -> None:
    with pytest.raises(InvalidInput):
        origin_of(url)
    assert safe_url(url) == "an unusable address"


def test_a_query_is_not_shown() -> None:
    assert safe_url("https://a.example/x/y?token=secret#part") == "https://a.example/x/y"
    assert len(safe_url("https://a.example/" + "x" * 999)) < 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback(f"http://{host}:1/x")
    assert is_private(f"http://{host}:1/x")


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "0.0.0.0",  # noqa: S104
        "x.localhost",
        "100.64.0.1",
    ],
)
def test_a_network_of_ones_own_is_private(host: str) -> None:
    assert is_private(f"http://{host}/")
    assert not is_loopback(f"http://{host}/")


@pytest.mark.parametrize(
    "host",
    ["civitai.com", "8.8.8.8", "[2606:4700::1111]", "127.0.0.1.example", "localhost.example"],
)
def test_the_world_is_not(host: str) -> None:
    assert not is_private(f"https://{host}/")
    assert not is_loopback(f"https://{host}/")


@given(st.text(max_size=40))
def test_any_text_is_an_origin_or_refused(text: str) -> None:
    try:
        origin = origin_of(text)
    except InvalidInput:
        return
    assert origin_of(origin) == origin
    assert "@" not in origin


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://localhost:1234", "http://localhost:1234/v1"),
        ("http://localhost:1234/", "http://localhost:1234/v1"),
        ("https://api.example.com/v1/", "https://api.example.com/v1"),
        (" https://api.example.com/v1/embeddings ", "https://api.example.com/v1"),
        ("https://example.com/openai/v2", "https://example.com/openai/v2"),
        ("http://[::1]:8080/embeddings", "http://[::1]:8080/v1"),
    ],
)
def test_the_base_of_an_api_has_a_version_and_no_route(url: str, base: str) -> None:
    assert api_base(url, "/embeddings", "server") == base


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:1234",
        "ftp://host",
        "http://",
        "https://me:secret@host/v1",
        "https://host/v1?key=secret",
        "http://host:x",
        "https://host/#secret",
    ],
)
def test_an_invalid_base_is_refused_and_no_secret_shown(url: str) -> None:
    with pytest.raises(InvalidInput, match="https://host/v1") as caught:
        api_base(url, "/embeddings", "server")
    assert "secret" not in str(caught.value)
