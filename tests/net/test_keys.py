from __future__ import annotations

import logging
import os
import stat
import sys
from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput, StoreProblem
from stylus_ext.net import Key, KeyName, delete_key, key_for, save_key

HOME = "https://civitai.com"
NAME = KeyName("Civitai", "STYLUS_TEST_KEY", HOME)


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STYLUS_TEST_KEY", "STYLUS_TEST_KEY_ORIGIN"):
        monkeypatch.delenv(name, raising=False)


def test_a_key_of_the_environment_is_for_the_services_own_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLUS_TEST_KEY", " abc123\n")
    assert key_for(tmp_path, f"{HOME}/api/v1", NAME) == Key(HOME, "abc123")
    assert key_for(tmp_path, "https://civitai.com:443", NAME) == Key(HOME, "abc123")
    for other in (
        "https://civitai.red",
        "http://civitai.com",
        "https://civitai.com.evil.example",
        "https://civitai.com:8443",
    ):
        assert key_for(tmp_path, other, NAME) is None


def test_the_environment_may_name_another_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STYLUS_TEST_KEY", "abc123")
    monkeypatch.setenv("STYLUS_TEST_KEY_ORIGIN", "https://civitai.red/")
    assert key_for(tmp_path, "https://civitai.red/api", NAME) == Key(
        "https://civitai.red", "abc123"
    )
    assert key_for(tmp_path, HOME, NAME) is None


def test_a_key_that_was_entered_is_found_again(tmp_path: Path) -> None:
    assert key_for(tmp_path, HOME, NAME) is None
    path = save_key(tmp_path / "new", NAME, Key(HOME, "abc123"))
    assert key_for(tmp_path / "new", HOME, NAME) == Key(HOME, "abc123")
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "new", path]


def test_a_changed_setting_does_not_lead_the_key_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_key(tmp_path, NAME, Key(HOME, "abc123"))
    caplog.set_level(logging.INFO)
    assert key_for(tmp_path, "https://evil.example/api", NAME) is None
    assert "https://evil.example" in caplog.text
    assert "abc123" not in caplog.text


def test_the_later_key_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    save_key(tmp_path, NAME, Key(HOME, "one"))
    save_key(tmp_path, NAME, Key("https://civitai.red", "two"))
    assert key_for(tmp_path, HOME, NAME) is None
    assert key_for(tmp_path, "https://civitai.red", NAME) is not None
    assert delete_key(tmp_path, NAME)
    assert not delete_key(tmp_path, NAME)
    assert key_for(tmp_path, "https://civitai.red", NAME) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no such modes")
def test_its_user_alone_can_read_the_file(tmp_path: Path) -> None:
    path = save_key(tmp_path, NAME, Key(HOME, "abc123"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert key_for(tmp_path, HOME, NAME) == Key(HOME, "abc123")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        "",
        "abc",
        "[]",
        '{"origin": 1, "key": "a"}',
        '{"origin": "https://a.example"}',
        '{"origin": "x", "key": "a"}',
        '{"origin": "https://a.example", "key": ""}',
        '{"origin": "https://a.example", "key": 5}',
    ],
)
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME.file).write_text(content, "utf-8")
    with pytest.raises(InvalidInput, match=NAME.file):
        key_for(tmp_path, HOME, NAME)


@pytest.mark.parametrize("secret", ["", "two words", "line\nbreak", "umläut", "x" * 5000, "tab\t"])
def test_what_is_no_key_is_refused_without_saying_it(secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Key(HOME, secret)
    assert not secret or secret not in str(caught.value)


def test_a_key_does_not_go_in_clear_over_a_network() -> None:
    with pytest.raises(InvalidInput):
        Key("http://civitai.com", "abc123")
    assert Key("http://127.0.0.1:8000", "abc123").origin == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "origin",
    [
        "http://192.168.1.20:8000",
        "http://10.0.0.7",
        "http://172.16.0.1:1234",
        "http://172.31.255.254",
        "http://169.254.3.4",
        "http://[fd00::7]:8000",
        "http://[fe80::1]",
    ],
)
def test_a_machine_of_ones_own_network_gets_its_key_by_its_number_and_no_other_does(
    tmp_path: Path, origin: str
) -> None:
    save_key(tmp_path, NAME, Key(origin, "abc123"))
    assert key_for(tmp_path, f"{origin}/v1", NAME) == Key(origin, "abc123")
    for other in (
        origin.replace("http:", "https:"),
        "http://192.168.1.20:8001",
        "http://192.168.1.21:8000",
    ):
        assert key_for(tmp_path, other, NAME) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://nas:8000",
        "http://box.local",
        "http://host.docker.internal:8000",
        "http://8.8.8.8",
        "http://172.32.0.1",
        "http://192.169.1.1",
        "http://100.64.0.1",
        "http://192.168.1.20.example.com",
        "http://[2606:4700::1111]",
        "http://[::ffff:8.8.8.8]",
        "http://0.0.0.0:8000",
    ],
)
def test_a_name_may_lead_anywhere_and_gets_no_key_in_clear(origin: str) -> None:
    with pytest.raises(InvalidInput):
        Key(origin, "abc123")


def test_a_key_is_not_shown() -> None:
    assert "abc123" not in repr(Key(HOME, "abc123"))
    assert "abc123" not in str(Key(HOME, "abc123"))


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="needs modes that hold for this user"
)
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreProblem):
            save_key(tmp_path, NAME, Key(HOME, "abc123"))
    finally:
        tmp_path.chmod(0o700)


def test_a_place_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StoreProblem):
        save_key(tmp_path / "file", NAME, Key(HOME, "abc123"))
