"""The engine as the WebUI asks it: interrupts, deadlines, proxies, an engine that dies in between;
all over real sockets.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.core.errors import (
    Cancelled,
    DeadlineExceeded,
    EngineGone,
    InvalidInput,
    Unavailable,
)
from stylus_ext.host.engine.client import EngineClient, NoEngine
from stylus_ext.host.engine.setup_state import ANSWERING
from stylus_ext.host.engine.supervisor import EngineProcess
from stylus_ext.host.web.api import plan_for_caller
from tests.embedding_server import EmbeddingServer
from tests.engine_process import PATIENCE_S, engine_in_thread, finished
from tests.host.engines import HereSetup, engine, never, until
from tests.lora_files import write_lora

TOKEN = "the-token-of-the-shared-engine"
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(scope="module")
def shared(
    vectors: EmbeddingServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineProcess]:
    with engine_in_thread(tmp_path_factory.mktemp("shared") / "data", vectors.url, TOKEN) as link:
        assert finished(link)["state"] == "done"
        yield EngineProcess(tmp_path_factory.mktemp("nothing"), url=link.url, token=TOKEN)


@pytest.fixture
def silence() -> Iterator[str]:
    """A door behind which nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_plan_and_a_status_come_back(shared: EngineProcess) -> None:
    client = EngineClient(shared)
    answer = client.plan(
        {"prompt": "a graffiti of a corgi, pixel art", "seed": 3, "batches": 2}, 20, never
    )
    assert answer["plan"]["prompt"] == "a graffiti of a corgi, pixel art"
    assert client.status()["catalogue"]["in_step"] is True
    assert shared.report().state in ANSWERING


def test_no_proxy_is_asked(shared: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = f"http://127.0.0.1:{gone.getsockname()[1]}"
    for name in PROXIES:
        monkeypatch.setenv(name, dead)
        monkeypatch.setenv(name.upper(), dead)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert "plan" in EngineClient(shared).plan({"prompt": "a corgi"}, 20, never)


@pytest.mark.long
def test_our_own_engine_is_reached_past_every_proxy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child inherits the variables too: it may need them for what it asks of others."""
    for name in PROXIES:
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    with engine(folder) as process:
        assert "plan" in EngineClient(process).plan({"prompt": "a corgi"}, PATIENCE_S, never)


def test_a_wrong_request_is_the_engines_sentence(shared: EngineProcess) -> None:
    client = EngineClient(shared)
    with pytest.raises(InvalidInput, match="promt"):
        client.plan({"prompt": "x", "promt": "y"}, 20, never)
    with pytest.raises(InvalidInput, match="nonsense"):
        client.job("nonsense")


def test_a_wrong_token_is_a_refusal(shared: EngineProcess, tmp_path: Path) -> None:
    stranger = EngineProcess(tmp_path, url=shared.report().url, token="another-token-altogether")
    with pytest.raises(Unavailable) as caught:
        EngineClient(stranger).plan({"prompt": "x"}, 20, never)
    assert "another-token" not in str(caught.value)


def test_an_interrupt_is_heeded_at_once(silence: str, tmp_path: Path) -> None:
    client = EngineClient(EngineProcess(tmp_path, url=silence, token=TOKEN))
    pressed = threading.Event()
    threading.Timer(0.2, pressed.set).start()
    with pytest.raises(Cancelled):  # the deadline's error is another
        client.plan({"prompt": "x"}, 20, pressed.is_set)


def test_silence_ends_with_the_deadline(silence: str, tmp_path: Path) -> None:
    client = EngineClient(EngineProcess(tmp_path, url=silence, token=TOKEN))
    with pytest.raises((DeadlineExceeded, NoEngine)):
        client.plan({"prompt": "x"}, 0.3, never)


def test_nobody_there_is_both_unavailable_and_gone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = f"http://127.0.0.1:{gone.getsockname()[1]}"
    client = EngineClient(EngineProcess(tmp_path, url=dead, token=TOKEN))
    with pytest.raises(Unavailable):
        client.plan({"prompt": "x"}, 1, never)
    with pytest.raises(EngineGone):
        client.status()


def test_without_an_environment_the_sentence_says_what_to_press(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path / "data", setup=HereSetup(there=False))
    with pytest.raises(Unavailable):
        EngineClient(process).plan({"prompt": "x"}, 5, never)
    assert process.report().state not in ANSWERING
    process.stop()


def test_a_slow_start_is_a_deadline(tmp_path: Path) -> None:
    setup = HereSetup(instead=[sys.executable, "-c", "import sys; sys.stdin.read()"])
    with (
        engine(tmp_path / "data", setup) as process,
        pytest.raises(DeadlineExceeded, match=r"0\.3 s"),
    ):
        EngineClient(process).plan({"prompt": "x"}, 0.3, never)


@pytest.mark.long
def test_an_engine_killed_between_two_plans_is_asked_again(folder: Path) -> None:
    with engine(folder) as process:
        question = {"prompt": "a corgi", "seed": 1}
        first = plan_for_caller(process, question, PATIENCE_S)
        os.kill(process.report().pid, signal.SIGKILL)
        began = time.monotonic()
        second = plan_for_caller(process, question, PATIENCE_S)
        assert time.monotonic() - began < 12
        assert second["plan"]["prompts"] == first["plan"]["prompts"]


def test_an_engine_killed_in_the_middle_leaves_the_deadline_in_force(folder: Path) -> None:
    """It is stopped in its tracks, so that the request is under way when it dies."""
    with engine(folder) as process:
        plan_for_caller(process, {"prompt": "a corgi"}, PATIENCE_S)
        pid, epoch = process.report().pid, process.epoch
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
        with pytest.raises(DeadlineExceeded):  # a new engine with new time would answer
            plan_for_caller(process, {"prompt": "a corgi"}, 0.6)
        until(lambda: process.epoch > epoch)
        assert "plan" in plan_for_caller(process, {"prompt": "a corgi"}, PATIENCE_S)


def test_a_folder_is_read_as_a_job(folder: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "loras"
    for number in range(3):
        write_lora(
            shelf / f"adapter_{number}.safetensors",
            metadata={"ss_output_name": f"adapter {number}"},
            seed=number,
        )
    with engine(folder) as process:
        assert process.wait_ready(PATIENCE_S, never)
        client = EngineClient(process)
        job_id = client.index([str(shelf)])
        until(lambda: client.job(job_id)["state"] == "done")
        assert client.job(job_id)["result"]["written"] == 3
        assert client.status()["catalogue"]["on_disk"] == 3
        assert client.cancel(job_id)["state"] == "done"
