"""The rendezvous: 0600, in one step, and never pointing at a dead engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment import engine_address
from stylus_ext.environment.files import hold
from tests.environment.wheels import closed_port


@pytest.fixture
def listening() -> Iterator[str]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_what_is_written_is_read(tmp_path: Path, listening: str) -> None:
    assert engine_address.read(tmp_path) is None
    message = engine_address.write(tmp_path, listening, "secret", "0.1.0")
    assert engine_address.read(tmp_path) == message
    assert message.pid == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == ["engine.json"]


@pytest.mark.skipif(os.name == "nt", reason="modes")
def test_only_its_user_can_read_it(tmp_path: Path, listening: str) -> None:
    (tmp_path / "engine.json").write_text("{}")
    (tmp_path / "engine.json").chmod(0o644)
    engine_address.write(tmp_path, listening, "secret", "0.1.0")
    assert (tmp_path / "engine.json").stat().st_mode & 0o777 == 0o600


def test_an_engine_whose_port_refuses_is_gone(tmp_path: Path) -> None:
    engine_address.write(tmp_path, f"http://127.0.0.1:{closed_port()}", "secret", "0.1.0")
    assert engine_address.read(tmp_path) is None


def test_an_engine_whose_process_is_dead_is_gone(tmp_path: Path, listening: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    message = {"url": listening, "token": "t", "pid": ended.pid, "version": "0", "started": 1.0}
    (tmp_path / "engine.json").write_text(json.dumps(message))
    assert not engine_address.process_lives(ended.pid)
    assert engine_address.read(tmp_path) is None
    assert not engine_address.remove(tmp_path), "it is not ours"
    assert (tmp_path / "engine.json").exists()


def test_ours_is_removed(tmp_path: Path, listening: str) -> None:
    assert not engine_address.remove(tmp_path)
    engine_address.write(tmp_path, listening, "secret", "0.1.0")
    assert engine_address.remove(tmp_path)
    assert not (tmp_path / "engine.json").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"url": "http://127.0.0.1:1"}', '{"url": 1, "token": 2, "pid": "x"}']
)
def test_nonsense_is_no_engine(text: str, tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(text)
    assert engine_address.read(tmp_path) is None


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:99999", "http://127.0.0.1"])
def test_an_odd_address_is_no_engine(url: str, tmp_path: Path) -> None:
    engine_address.write(tmp_path, url, "t", "0")
    assert engine_address.read(tmp_path) is None


def test_the_folders_holder_is_known(tmp_path: Path) -> None:
    assert engine_address.engine_holder(tmp_path) is None
    with hold(tmp_path, engine_address.ENGINE_LOCK, "the engine"):
        holder = engine_address.engine_holder(tmp_path)
        assert holder is not None
        assert holder.what == "the engine"
    assert engine_address.engine_holder(tmp_path) is None


def test_a_lock_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "engine.lock").mkdir()
    with pytest.raises(SetupProblem, match=r"engine\.lock"):
        engine_address.engine_holder(tmp_path)


def test_a_process_lives() -> None:
    assert engine_address.process_lives(os.getpid())
    assert not engine_address.process_lives(0)
    assert not engine_address.process_lives(-1)
