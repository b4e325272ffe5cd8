"""`serve` as a process: address, sharing, signals, kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from stylus_ext.cli.session import EngineSession, ProgressLine
from stylus_ext.core.errors import InvalidInput, Unavailable
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.serve import LOG_FILE, EngineAddress, serve
from stylus_ext.environment import engine_address, engine_link
from stylus_ext.environment.engine_link import stop
from stylus_ext.environment.files import hold
from tests.embedding_server import EmbeddingServer
from tests.engine.conftest import TOKEN
from tests.engine_process import (
    PATIENCE_S,
    Cli,
    Ran,
    end,
    endpoint_settings,
    engine_in_thread,
    engine_process,
    finished,
    run,
    start,
    wait_for_engine,
)
from tests.lora_files import write_lora

FILES = 600
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def running(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an engine that runs for all tests that only ask it."""
    folder = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("running") / "data"))
    with engine_process(
        folder, "--port", str(_free_port()), extra={"STYLUS_ENGINE_TOKEN": TOKEN}
    ) as process:
        finished(wait_for_engine(folder, process))
        yield folder
        assert process.poll() is None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port: int = other.getsockname()[1]
        return port


def loras(folder: Path, count: int) -> Path:
    for number in range(count):
        write_lora(
            folder / f"adapter_{number:04}.safetensors",
            metadata={"ss_output_name": f"adapter {number}"},
            seed=number,
        )
    return folder


def count(folder: Path) -> int:
    with sqlite3.connect(folder / "catalogue.sqlite") as connection:
        found: int = connection.execute("SELECT count(*) FROM files").fetchone()[0]
    connection.close()
    return found


def test_the_address_file_is_private_and_removed(folder: Path) -> None:
    with engine_process(folder) as process:
        file = folder / "engine.json"
        assert file.stat().st_mode & 0o777 == 0o600
        message = engine_address.read(folder)
        assert message is not None
        assert message.pid == process.pid
        link = wait_for_engine(folder, process)
        assert finished(link)["state"] == "done"
        link.call("POST", "/v1/plan", {"prompt": "a corgi with a secret"})
        link.call("POST", "/v1/shutdown", {})
        assert process.wait(PATIENCE_S) == 0
    assert not file.exists()
    assert engine_address.engine_holder(folder) is None
    log = folder / LOG_FILE
    assert log.stat().st_mode & 0o777 == 0o600
    text = log.read_text("utf-8")
    assert "the engine listens" in text
    assert "the engine ends" in text
    assert message.token not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, marks=pytest.mark.long),
    ],
)
def test_a_signal_ends_it_cleanly(folder: Path, number: int) -> None:
    with engine_process(folder) as process:
        reported = end(process, number)
    assert reported.code == 0, reported
    assert "listens at http://127.0.0.1:" in reported.out
    assert "Traceback" not in reported.err
    assert not (folder / "engine.json").exists()


def test_a_signal_before_the_server_runs_ends_it_cleanly(folder: Path) -> None:
    """An interrupt instead would break the event loop at whatever line it happens to be."""
    settings = with_values(Settings(), endpoint_settings(NOWHERE))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    addresses: list[EngineAddress] = []

    def ready(address: EngineAddress) -> None:
        addresses.append(address)
        os.kill(os.getpid(), signal.SIGTERM)

    assert serve(folder, settings, 0, "", ready)
    assert len(addresses) == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_port_and_token_can_be_given(running: Path) -> None:
    message = engine_address.read(running)
    assert message is not None
    assert message.token == TOKEN
    assert message.url.startswith("http://127.0.0.1:")


def test_a_second_engine_names_the_first(running: Path, here: Cli) -> None:
    message = engine_address.read(running)
    assert message is not None
    second = here(running, "serve")
    assert second.code == 0
    assert (
        second.out
        == f"An engine (process {message.pid}) serves {running} already at {message.url}\n"
    )


def test_a_kill_leaves_a_stale_address_that_the_next_start_replaces(folder: Path) -> None:
    with engine_process(folder) as process:
        finished(wait_for_engine(folder, process))
        end(process, signal.SIGKILL)
    assert (folder / "engine.json").exists()
    assert engine_address.read(folder) is None
    with engine_process(folder) as process:
        message = engine_address.read(folder)
        assert message is not None
        assert message.pid == process.pid
        assert wait_for_engine(folder, process).call("GET", "/v1/status")["catalogue"]["in_step"]


@pytest.mark.long
def test_it_can_be_stopped_by_its_data_folder(folder: Path) -> None:
    with engine_process(folder) as process:
        assert stop(folder)
        assert process.wait(PATIENCE_S) == 0


def test_commands_attach_and_answer_the_same(
    running: Path, folder: Path, here: Cli, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("plan", "a graffiti of a corgi, pixel art", "--batches", "4", "--seed", "3", "--json")
    with caplog.at_level("INFO", logger="stylus_ext"):
        alone = here(folder, *words).json
        assert "attached" not in caplog.text
        attached = here(running, *words).json
        assert "http://127.0.0.1:" in caplog.text
    assert TOKEN not in caplog.text
    assert alone.pop("elapsed_ms") > 0
    assert attached.pop("elapsed_ms") > 0
    assert alone["catalogue"] == attached["catalogue"]
    assert alone == attached
    assert alone["picks"]
    for other in (
        ("search", "corgi", "--json"),
        ("show", "civitai:88884", "--json"),
        ("search", "--kind", "animal"),
    ):
        assert here(folder, *other) == here(running, *other)


def test_a_refusal_is_the_same_with_and_without_an_engine(
    running: Path, folder: Path, here: Cli
) -> None:
    for words in (
        ("plan", "x", "--lora-dir", str(folder / "nothing")),
        ("plan", "x", "--strictness", "9"),
        ("show", "nobody"),
    ):
        alone, attached = here(folder, *words), here(running, *words)
        assert (alone.code, alone.out) == (1, "")
        assert (attached.code, attached.out) == (1, "")
        assert alone.err.strip() in attached.err


def test_the_doctor_names_the_engine(running: Path, here: Cli) -> None:
    message = engine_address.read(running)
    assert message is not None
    assert f"engine: runs at {message.url} (process {message.pid})" in here(running, "doctor").out
    assert here(running, "doctor", "--json").json["engine"] == {
        "url": message.url,
        "pid": message.pid,
    }
    assert TOKEN not in here(running, "doctor", "--json").out


def test_flags_without_effect_on_a_running_engine_are_named(running: Path, here: Cli) -> None:
    message = here(running, "search", "corgi", "--model", "another").err
    assert "your flags for encoder, vectors" in message
    assert "are ignored" in message


def test_a_command_indexes_through_the_engine(running: Path, tmp_path: Path, here: Cli) -> None:
    writer = loras(tmp_path / "loras", 3)
    (writer / "broken.safetensors").write_bytes(b"nothing")
    before = count(running)
    indexed = here(running, "index", str(writer), "--json").json
    assert indexed["written"] == 3
    assert "broken.safetensors" in json.dumps(indexed["notes"])
    plan = here(running, "plan", "adapter 2", "--lora-dir", str(writer), "--json").json
    assert all(pick["on_disk"] for pick in plan["picks"])
    assert "broken.safetensors" in json.dumps(plan["notes"])
    assert count(running) == before + 3


def test_commands_that_start_with_the_engine_wait_for_it(folder: Path) -> None:
    """Nobody is told that the folder is in use: whoever comes first serves the others."""
    serving = start(folder, "serve")
    try:
        with ThreadPoolExecutor(2) as pool:
            requested = [
                pool.submit(run, folder, "search", "corgi", "--json", "--verbose") for _ in range(2)
            ]
            answers = [one.result() for one in requested]
        assert [answer.code for answer in answers] == [0, 0], answers
        assert answers[0].json == answers[1].json
        wait_for_engine(folder, serving)
    finally:
        assert end(serving).code == 0


def test_a_stopped_engine_is_waited_for_as_long_as_one_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_link, "CHECK_EVERY_S", 0.2)
    monkeypatch.setattr(engine_link, "LONGEST_SILENCE_S", 0.5)
    with engine_process(folder) as process:
        link = wait_for_engine(folder, process)
        process.send_signal(signal.SIGSTOP)
        try:
            assert run(folder, "search", "corgi", "--wait", "0.5").code == 1
            with pytest.raises(Unavailable):  # it was stopped while it was asked
                EngineSession(link, ProgressLine()).call("plan", {"prompt": "a corgi"})
        finally:
            process.send_signal(signal.SIGCONT)
        assert run(folder, "search", "corgi").code == 0


def test_another_program_at_the_engines_address_is_told_nothing(folder: Path) -> None:
    """The engine has ended, its port was taken, and its process id too."""
    heard: list[bytes] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        heard.append(connection.recv(65536))
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        engine_address.write(folder, url, "the-token-of-the-engine", "0")
        found = run(folder, "search", "corgi", "--json")
        server.shutdown(socket.SHUT_RDWR)
    assert found.code == 0, found.err
    assert found.json["entries"]
    assert any(heard)
    assert b"the-token" not in b"".join(heard)
    assert b"corgi" not in b"".join(heard)


def test_a_second_command_waits_and_names_the_first(folder: Path) -> None:
    with hold(folder, engine_address.ENGINE_LOCK, "Stylus index"):
        hurried = run(folder, "search", "corgi", "--wait", "0.5")
        assert hurried.code == 1
        assert f"Waiting for Stylus index (process {os.getpid()}, for 0 min)" in hurried.err
        assert f"Stylus index (process {os.getpid()}" in hurried.err
        patient = start(folder, "search", "corgi")
        assert patient.stderr is not None
        assert b"Waiting for Stylus index" in patient.stderr.readline()
    reported = end_of(patient)
    assert reported.code == 0, reported
    assert "CORGI" in reported.out


@pytest.mark.parametrize("attached", [pytest.param(False, marks=pytest.mark.long), True])
def test_ctrl_c_while_indexing_keeps_what_was_finished(
    folder: Path, tmp_path: Path, attached: bool, here: Cli
) -> None:
    writer = loras(tmp_path / "loras", FILES)
    serving = start(folder, "serve") if attached else None
    try:
        if serving is not None:
            link = wait_for_engine(folder, serving)
            finished(link)
        indexing = start(folder, "index", str(writer))
        until = time.monotonic() + PATIENCE_S
        while not _some(folder):
            assert time.monotonic() < until
            assert indexing.poll() is None, indexing.communicate()
            time.sleep(0.02)
        ended = end(indexing, signal.SIGINT)
        assert ended.code == 130, ended
        assert "Traceback" not in ended.err
        if serving is not None:
            job = link.call("GET", "/v1/jobs")["jobs"][-1]
            assert finished(link, job["id"])["state"] == "cancelled"
    finally:
        if serving is not None:
            assert end(serving).code == 0
    kept = count(folder)
    assert kept > 0
    again = here(folder, "index", str(writer), "--no-hash", "--json")
    assert again.code == 0
    assert again.json["written"] == FILES - kept
    assert count(folder) == FILES


def _some(folder: Path) -> bool:
    try:
        return count(folder) > 0
    except sqlite3.OperationalError:
        return False


@pytest.mark.long
def test_a_command_reports_that_its_engine_died(folder: Path, tmp_path: Path) -> None:
    writer = loras(tmp_path / "loras", FILES)
    with engine_process(folder) as process:
        finished(wait_for_engine(folder, process))
        indexing = start(folder, "index", str(writer))
        until = time.monotonic() + PATIENCE_S
        while not _some(folder) and time.monotonic() < until:
            time.sleep(0.01)
        end(process, signal.SIGKILL)
        reported = end_of(indexing)
    assert (reported.code, reported.out) == (1, "")
    assert "cannot be reached" in reported.err
    assert "Traceback" not in reported.err


def end_of(process: subprocess.Popen[bytes]) -> Ran:
    out, err = process.communicate(timeout=PATIENCE_S)
    return Ran(process.returncode, out.decode("utf-8"), err.decode("utf-8"))


def test_a_kill_while_the_engine_indexes_keeps_what_was_finished(
    folder: Path, tmp_path: Path, here: Cli
) -> None:
    writer = loras(tmp_path / "loras", FILES)
    with engine_process(folder) as process:
        link = wait_for_engine(folder, process)
        finished(link)
        link.call("POST", "/v1/jobs/index", {"lora_dirs": [str(writer)]})
        until = time.monotonic() + PATIENCE_S
        while not _some(folder) and time.monotonic() < until:
            time.sleep(0.01)
        end(process, signal.SIGKILL)
    kept = count(folder)
    assert kept > 0
    again = here(folder, "index", str(writer), "--no-hash", "--json")
    assert again.json["written"] == FILES - kept
    assert "catalogue_rebuilt" not in [note["code"] for note in again.json["notes"]]


@pytest.mark.long
def test_one_of_two_engines_started_at_once_serves(folder: Path) -> None:
    both = [start(folder, "serve") for _ in range(2)]
    try:
        until = time.monotonic() + PATIENCE_S
        while all(process.poll() is None for process in both) and time.monotonic() < until:
            time.sleep(0.05)
        second = next(process for process in both if process.poll() is not None)
        first = next(process for process in both if process is not second)
        assert wait_for_engine(folder, first)
        reported = end(second)
        assert reported.code == 0, reported
        assert f"An engine (process {first.pid}) serves" in reported.out
    finally:
        assert end(first).code == 0


@pytest.mark.long
def test_a_fresh_folder_with_the_real_encoder(tmp_path: Path) -> None:
    """From nothing: the engine answers at once, prepares in the background, and then the first plan
    is quick.
    """
    folder, prompt = tmp_path / "fresh", "a graffiti of a corgi on the wall, pixel art"
    with engine_process(folder) as process:
        link = wait_for_engine(folder, process)
        started = time.perf_counter()
        early = link.call("POST", "/v1/plan", {"prompt": prompt, "deadline_s": 1})["plan"]
        assert time.perf_counter() - started < 4
        assert early["prompts"][0].startswith(prompt)
        assert {note["code"] for note in early["notes"]} & {"late", "partial_index"}
        assert link.call("GET", "/v1/status")["version"]
        assert finished(link)["state"] == "done"
        answer = link.call("POST", "/v1/plan", {"prompt": prompt})
        assert answer["plan"]["picks"]
        assert answer["elapsed_ms"] < 1500
        attached = run(folder, "plan", prompt, "--json").json
        assert attached["prompts"] == answer["plan"]["prompts"]
    alone = run(folder, "plan", prompt, "--json").json
    assert alone["prompts"] == attached["prompts"]


@pytest.mark.parametrize(
    "token",
    [
        "short",
        "with a space in its middle",
        "with\nline\nends-and-more",
        "\u00fcmlaut-0123456789-0123",
    ],
)
def test_an_invalid_token_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(InvalidInput, match="token"):
        serve(tmp_path, Settings(), 0, token, lambda address: None)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=str(port)):
            serve(tmp_path, Settings(), port, "", lambda address: None)
    with pytest.raises(InvalidInput, match="70000"):
        serve(tmp_path, Settings(), 70_000, "", lambda address: None)


@pytest.mark.long
def test_two_engines_serve_two_folders(
    prepared: Path, vectors: EmbeddingServer, tmp_path: Path
) -> None:
    first, second = (Path(shutil.copytree(prepared, tmp_path / name)) for name in ("one", "two"))
    with engine_in_thread(first, vectors.url) as one, engine_in_thread(second, vectors.url) as two:
        assert one.url != two.url
        assert (
            one.call("GET", "/v1/status")["data_folder"]
            != two.call("GET", "/v1/status")["data_folder"]
        )
