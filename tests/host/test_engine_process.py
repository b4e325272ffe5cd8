"""The engine beside the WebUI: real processes, real kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stylus_ext import __version__
from stylus_ext.core.errors import EngineGone
from stylus_ext.environment import engine_address
from stylus_ext.host.engine import supervisor
from stylus_ext.host.engine.child import LOG_FILE
from stylus_ext.host.engine.setup_state import EngineState
from stylus_ext.host.engine.supervisor import EngineProcess, current
from tests.embedding_server import EmbeddingServer
from tests.engine_process import PATIENCE_S, ROOT, end, engine_in_thread
from tests.engine_process import engine_process as engine_of_another
from tests.host.engines import HereSetup, engine, never, until

AFTER_A_KILL_S = 12.0


def test_it_starts_answers_and_ends(folder: Path) -> None:
    setup = HereSetup()
    with engine(folder, setup) as process:
        assert process.report().state is EngineState.STOPPED
        process.start()
        process.start()
        assert process.report().state is not EngineState.READY, "it returns at once"
        assert process.wait_ready(PATIENCE_S, never)
        report = process.report()
        assert (report.state, report.version) == (EngineState.READY, __version__)
        assert report.url.startswith("http://127.0.0.1:")
        assert process.link().call("GET", "/v1/status")["version"] == __version__
        assert len(setup.started) == 1
        pid = report.pid
    assert process.report().state is EngineState.STOPPED
    assert not engine_address.process_lives(pid)
    assert not (folder / "engine.json").exists(), "it ended in order"
    assert (folder / LOG_FILE).stat().st_mode & 0o777 == 0o600
    assert "listens at" in (folder / LOG_FILE).read_text("utf-8")
    with pytest.raises(EngineGone):
        process.link()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")
def test_the_child_sees_no_gpu_two_threads_and_a_token_that_no_command_line_shows(
    folder: Path,
) -> None:
    with engine(folder) as process:
        assert process.wait_ready(PATIENCE_S, never)
        pid = process.report().pid
        said = engine_address.read(folder)
        assert said is not None
        words = dict(
            one.split("=", 1)
            for one in Path(f"/proc/{pid}/environ").read_text().split("\0")
            if "=" in one
        )
        assert words["CUDA_VISIBLE_DEVICES"] == ""
        assert words["OMP_NUM_THREADS"] == words["MKL_NUM_THREADS"] == "2"
        assert words["STYLUS_ENGINE_TOKEN"] == said.token
        assert said.token not in Path(f"/proc/{pid}/cmdline").read_text()
        assert said.token not in repr(process.report())
        assert said.token not in (folder / LOG_FILE).read_text("utf-8")


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_killed_it_comes_again(folder: Path, number: int) -> None:
    with engine(folder) as process:
        assert process.wait_ready(PATIENCE_S, never)
        first = process.report().pid
        epoch = process.epoch
        os.kill(first, number)
        until(lambda: process.report().state is EngineState.READY and process.epoch > epoch)
        assert process.report().pid != first
        assert process.link().call("GET", "/v1/status")["version"] == __version__


@pytest.mark.long
def test_killed_it_is_back_within_twelve_seconds(folder: Path) -> None:
    with engine(folder) as process:
        assert process.wait_ready(PATIENCE_S, never)
        epoch = process.epoch
        os.kill(process.report().pid, signal.SIGKILL)
        took = until(lambda: process.report().state is EngineState.READY and process.epoch > epoch)
        assert took < AFTER_A_KILL_S


def test_idle_it_rests_and_the_next_need_wakes_it(folder: Path) -> None:
    with engine(folder, idle_minutes=1.5 / 60) as process:
        assert process.wait_ready(PATIENCE_S, never)
        first = process.report().pid
        until(lambda: process.report().state is EngineState.STOPPED)
        assert not engine_address.process_lives(first)
        time.sleep(0.7)  # longer than the first pause: nobody starts it again by himself
        assert process.report().state is EngineState.STOPPED
        assert process.wait_ready(PATIENCE_S, never)
        assert process.report().pid != first


@pytest.mark.long
def test_one_engine_for_two_webuis_and_the_second_goes_on_alone(folder: Path) -> None:
    with engine(folder) as one, engine(folder) as two:
        assert one.wait_ready(PATIENCE_S, never)
        assert two.wait_ready(PATIENCE_S, never)
        assert one.report().pid == two.report().pid
        two.stop()
        assert engine_address.process_lives(one.report().pid), "it is not the second one's to end"
        assert two.wait_ready(PATIENCE_S, never)
        os.kill(one.report().pid, signal.SIGKILL)
        one.stop()
        assert two.wait_ready(PATIENCE_S, never, after=two.epoch)
        assert two.link().call("GET", "/v1/status")["version"] == __version__


@pytest.mark.long
def test_an_engine_that_runs_alone_is_used_and_left_alone(folder: Path) -> None:
    with engine_of_another(folder) as other:
        with engine(folder, HereSetup(there=False)) as process:
            assert process.wait_ready(PATIENCE_S, never)
            assert process.report().pid == other.pid
        assert other.poll() is None
        assert end(other).code == 0


def test_before_it_is_known_whether_one_runs_a_missing_environment_is_no_obstacle(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread may get its turn late where a machine is busy."""
    look, turn = engine_address.read, threading.Event()

    def late(data_dir: Path) -> engine_address.EngineRecord | None:
        turn.wait(PATIENCE_S)
        return look(data_dir)

    with engine_of_another(folder) as other:
        monkeypatch.setattr(engine_address, "read", late)
        with engine(folder, HereSetup(there=False)) as process:
            assert process.report().state is EngineState.NOT_SET_UP
            process.start()
            assert process.report().state is EngineState.STARTING
            turn.set()
            assert process.wait_ready(PATIENCE_S, never)
            assert process.report().pid == other.pid


PARENT = """
import sys
from pathlib import Path
from tests.host.engines import engine, never
with engine(Path(sys.argv[1])) as process:
    assert process.wait_ready(60, never)
    print(process.report().pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_it_dies_with_its_parent(folder: Path, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert engine_address.process_lives(pid)
        parent.send_signal(number)
        parent.wait()
        until(lambda: not engine_address.process_lives(pid), 10)
    assert not (folder / "engine.json").exists(), "it ended in order"


@pytest.mark.long
def test_a_parent_that_dies_while_it_loads_leaves_nobody(folder: Path) -> None:
    code = PARENT.replace("assert process.wait_ready(60, never)", "process.start()").replace(
        "print(process.report().pid",
        "from tests.host.engines import until\n    until(lambda: process.report().pid)\n   "
        " print(process.report().pid",
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        until(lambda: not engine_address.process_lives(pid), 15)


def test_another_version_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an update the WebUI's process has the old modules, and what it starts has the new."""
    monkeypatch.setattr(supervisor, "__version__", "0.0.9")
    setup = HereSetup()
    with engine(folder, setup) as process:
        assert not process.wait_ready(PATIENCE_S, never)
        report = process.report()
        assert report.state is EngineState.FAILED
        assert "restart the WebUI fully" in report.sentence
        assert (report.version, len(setup.started)) == (__version__, 1)
        until(lambda: engine_address.read(folder) is None)


@pytest.mark.long
def test_an_engine_of_another_version_is_not_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "__version__", "0.0.9")
    setup = HereSetup()
    with engine_of_another(folder) as other, engine(folder, setup) as process:
        assert not process.wait_ready(PATIENCE_S, never)
        assert "restart the WebUI fully" in process.report().sentence
        assert not setup.started
        assert other.poll() is None


def test_one_that_cannot_start_says_why_with_longer_and_longer_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.05)
    setup = HereSetup(
        instead=[sys.executable, "-c", "import sys; sys.exit('there is no wood for the fire')"]
    )
    with engine(tmp_path / "data", setup) as process:
        assert not process.wait_ready(PATIENCE_S, never)
        assert "no wood" in process.report().sentence
        assert len(setup.started) >= 3
    assert "no wood" in (tmp_path / "data" / LOG_FILE).read_text("utf-8")


def test_a_program_that_is_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.02)
    with engine(tmp_path / "data", HereSetup(instead=[str(tmp_path / "nothing")])) as process:
        assert not process.wait_ready(PATIENCE_S, never)
        assert "cannot be started" in process.report().sentence


@pytest.mark.long
def test_without_an_environment_nothing_is_waited_for_until_a_build_ends(folder: Path) -> None:
    setup = HereSetup(there=False)
    with engine(folder, setup) as process:
        process.start()
        began = time.monotonic()
        assert not process.wait_ready(PATIENCE_S, never)
        assert time.monotonic() - began < 1
        assert process.report().state is EngineState.NOT_SET_UP
        process.set_up()
        until(lambda: process.report().state is EngineState.READY)


def test_waiting_is_interrupted_at_once_and_ends_in_time(folder: Path) -> None:
    with engine(
        folder, HereSetup(instead=[sys.executable, "-c", "import sys; sys.stdin.read()"])
    ) as process:
        presses = iter([False, False, True])  # it stops asking after the press
        assert not process.wait_ready(PATIENCE_S, lambda: next(presses))
        assert list(presses) == []
        assert not process.wait_ready(0.1, never)
        assert process.report().state is EngineState.STARTING


def test_a_log_of_starts_does_not_grow_for_ever(tmp_path: Path) -> None:
    data = tmp_path / "data"
    loud = "import sys\nfor _ in range(5000): print('x' * 99)\nsys.stdin.read()"
    for _ in range(3):
        with engine(data, HereSetup(instead=[sys.executable, "-c", loud])) as process:
            process.start()
            until(lambda: process.report().pid)
            until(lambda: (data / LOG_FILE).exists() and (data / LOG_FILE).stat().st_size > 100_000)
    assert sum(path.stat().st_size for path in data.glob(f"{LOG_FILE}*")) < 500_000
    assert len(list(data.glob(f"{LOG_FILE}*"))) == 2


def test_a_shared_engine_is_neither_started_nor_stopped(
    vectors: EmbeddingServer, tmp_path: Path
) -> None:
    token = "the-token-of-the-shared-engine"
    with engine_in_thread(tmp_path / "shared", vectors.url, token) as shared:
        process = EngineProcess(tmp_path / "data", url=shared.url, token=token)
        process.start()
        process.set_up()
        assert process.wait_ready(0, never)
        assert process.report().state is EngineState.REMOTE
        assert token not in repr(process.report())
        assert process.link().call("GET", "/v1/status")["version"] == __version__
        process.stop()
        assert shared.call("GET", "/v1/status")["version"] == __version__
    assert not (tmp_path / "data").exists()


def test_an_address_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path, url="nonsense")
    assert process.report().state is EngineState.FAILED
    assert "nonsense" in process.report().sentence
    assert not process.wait_ready(0.1, never)


def test_there_is_one_for_a_webui_until_its_settings_change(tmp_path: Path) -> None:
    words = ["--threads", "1"]
    first = current(tmp_path, settings=lambda: list(words))
    assert current(tmp_path, settings=lambda: ["--threads", "1"]) is first
    words[1] = "2"
    second = current(tmp_path, settings=lambda: list(words))
    assert second is not first
    assert current(tmp_path, url="http://127.0.0.1:1", token="t") is not second


@pytest.mark.long
def test_changed_settings_take_over_what_ran(folder: Path) -> None:
    """The new engine starts when the old one has let go of the folder."""
    first, second = HereSetup(), HereSetup()
    with engine(folder, first) as old, engine(folder, second) as new:
        assert old.wait_ready(PATIENCE_S, never)
        pid = old.report().pid
        new.follows(old)
        new.start()
        assert new.wait_ready(PATIENCE_S, never)
        assert new.report().pid != pid
        assert old.report().state is EngineState.STOPPED
        assert len(first.started) == len(second.started) == 1


@pytest.mark.long
def test_a_stale_address_is_not_believed(folder: Path) -> None:
    said = {
        "url": "http://127.0.0.1:9",
        "token": "t",
        "pid": 2**22 - 3,
        "version": __version__,
        "started": 1.0,
    }
    (folder / "engine.json").write_text(json.dumps(said), "utf-8")
    with engine(folder) as process:
        assert process.wait_ready(PATIENCE_S, never)
        assert process.report().pid != said["pid"]
