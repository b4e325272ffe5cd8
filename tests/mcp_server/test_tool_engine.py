"""The engine behind the tools as a real process: started, shared, lost, refused."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput, Unavailable
from stylus_ext.environment import engine_address
from stylus_ext.environment.files import hold
from stylus_ext.mcp_server.tool_engine import ToolEngine
from tests.engine_process import PATIENCE_S, engine_process

Start = Callable[..., ToolEngine]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    made: list[ToolEngine] = []

    def make(folder: Path, *flags: str, start_s: float = PATIENCE_S) -> ToolEngine:
        made.append(ToolEngine(folder, flags, start_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


def pid_of(folder: Path) -> int:
    address = engine_address.read(folder)
    assert address is not None
    return address.pid


def wait_until_gone(pid: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while engine_address.process_lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not engine_address.process_lives(pid)


def test_it_is_started_once_and_again_after_a_kill_and_ends_with_us(
    folder: Path, start: Start
) -> None:
    engine = start(folder)
    assert engine_address.read(folder) is None, "nothing is started before the first call"
    assert engine.call("search", {"text": "pixel"})["total"] > 0
    first = pid_of(folder)
    assert engine.call("show", {"key": "civitai:135931"})["entry"]["key"] == "civitai:135931"
    assert pid_of(folder) == first
    os.kill(first, signal.SIGKILL)
    assert engine.call("plan", {"prompt": "pixel art"})["plan"]["prompts"]
    second = pid_of(folder)
    assert second != first
    with pytest.raises(InvalidInput):
        engine.call("show", {"key": "no such key"})
    engine.close()
    wait_until_gone(second)


def test_a_running_engine_is_used_and_left_alone(folder: Path, start: Start) -> None:
    with engine_process(folder) as process:
        engine = start(folder)
        assert engine.call("overview", {})["entries"] > 0
        assert pid_of(folder) == process.pid
        engine.close()
        assert process.poll() is None


def test_why_no_engine_starts_is_one_sentence(folder: Path, tmp_path: Path, start: Start) -> None:
    (folder / "settings.json").write_text("{")
    with pytest.raises(Unavailable, match=r"settings\.json"):
        start(folder).call("overview", {})
    other = tmp_path / "other"
    other.mkdir()
    with (
        hold(other, engine_address.ENGINE_LOCK, "another command"),
        pytest.raises(Unavailable, match="another command"),
    ):
        start(other, "--wait=0").call("overview", {})
    with pytest.raises(Unavailable):
        start(other, start_s=0.0).call("overview", {})
    assert engine_address.engine_holder(other) is None
