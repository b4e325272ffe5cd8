"""When an engine ends by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stylus_ext.engine.serve import Lifecycle
from stylus_ext.environment import engine_address
from tests.embedding_server import EmbeddingServer
from tests.engine_process import (
    PATIENCE_S,
    ROOT,
    Cli,
    engine_process,
    environment,
    finished,
    make_folder,
    wait_for_engine,
)


def test_a_used_or_busy_engine_is_not_idle() -> None:
    ended = threading.Event()
    busy = [True]
    lifecycle = Lifecycle(idle_s=0.2)
    lifecycle.attach(ended.set, lambda: busy[0])
    lifecycle.watch()
    assert not ended.wait(1.6)
    busy[0] = False
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        lifecycle.used()
        time.sleep(0.05)
    assert not ended.is_set()
    assert ended.wait(3)
    assert lifecycle.reason == "it was idle"


def test_a_loading_engine_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr("stylus_ext.engine.serve._interrupt", ended.set)
    lifecycle = Lifecycle(idle_s=0.1)
    lifecycle.watch()
    assert not ended.wait(1.4)
    assert lifecycle.reason == ""
    lifecycle.attach(ended.set, bool)
    assert ended.wait(3)
    assert lifecycle.reason == "it was idle"


def test_the_first_reason_stays_and_an_early_one_ends_the_server() -> None:
    ended = threading.Event()
    lifecycle = Lifecycle()
    lifecycle.ended("first")
    lifecycle.ended("second")
    lifecycle.attach(ended.set, bool)
    assert ended.is_set()
    assert lifecycle.reason == "first"


@pytest.mark.long
def test_without_options_it_never_ends_by_itself(vectors: EmbeddingServer, tmp_path: Path) -> None:
    before = threading.active_count()
    Lifecycle().watch()
    assert threading.active_count() == before
    with engine_process(make_folder(tmp_path / "data", vectors.url)) as process:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
        time.sleep(1.2)
        assert process.poll() is None


def test_an_idle_engine_ends_and_get_requests_do_not_count(
    vectors: EmbeddingServer, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "data", vectors.url)
    with engine_process(folder, "--idle-minutes", "0.02") as process:
        link = wait_for_engine(folder, process)
        finished(link)
        until = time.monotonic() + PATIENCE_S
        while process.poll() is None and time.monotonic() < until:
            if engine_address.read(folder):
                try:
                    link.call("GET", "/v1/status")
                except Exception:  # noqa: BLE001
                    break
            time.sleep(0.1)
        assert process.wait(PATIENCE_S) == 0
    assert not (folder / "engine.json").exists()


def test_a_bound_engine_ends_with_its_input_and_a_signal_is_an_error(
    vectors: EmbeddingServer, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "data", vectors.url)
    with engine_process(folder, "--bound") as process:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
        assert process.wait(PATIENCE_S) == 0
        assert not (folder / "engine.json").exists()
    with engine_process(folder, "--bound") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 1


STARTER = """
import os, subprocess, sys
read, write = os.pipe()
os.set_inheritable(write, True)
engine = subprocess.Popen(sys.argv[1:], stdin=read, close_fds=False)
print(engine.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="orphans get no new parent on Windows")
def test_an_inherited_pipe_does_not_keep_it_alive(vectors: EmbeddingServer, tmp_path: Path) -> None:
    """The engine itself has inherited the other end: it will never see the end of its input."""
    from stylus_ext.environment.run_in_env import main_command

    folder = make_folder(tmp_path / "data", vectors.url)
    words = [
        sys.executable,
        "-c",
        STARTER,
        *main_command("stylus_ext.cli.main", "serve", "--bound"),
    ]
    with subprocess.Popen(
        words, cwd=ROOT, env=environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        until = time.monotonic() + PATIENCE_S
        while engine_address.read(folder) is None and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(starter.pid, signal.SIGKILL)
        starter.wait()
        while engine_address.process_lives(pid) and time.monotonic() < until:
            time.sleep(0.05)
    assert not engine_address.process_lives(pid)
    assert not (folder / "engine.json").exists()


@pytest.mark.parametrize("minutes", ["-1", "many", "1e9"])
def test_an_invalid_idle_time_is_refused(
    tmp_path: Path, minutes: str, here: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        here(tmp_path, "serve", "--idle-minutes", minutes)
    assert refused.value.code == 2
    assert "idle-minutes" in capsys.readouterr().err
