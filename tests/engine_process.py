"""A real engine for tests: in a thread of this process, or as a process of its own, as `python
install.py` would start it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import EngineGone
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.environment import engine_address
from stylus_ext.environment.engine_link import EngineLink
from stylus_ext.environment.run_in_env import main_command

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 60.0


def endpoint_settings(url: str) -> dict[str, Any]:
    """Settings under which no model has to be loaded: a small server on loopback makes the
    vectors.
    """
    return {"encoder": {"endpoint": url, "model": "bag"}}


def make_folder(folder: Path, url: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(endpoint_settings(url)), "utf-8")
    return folder


def prepared_folder(folder: Path, url: str) -> Path:
    """A data folder with the starter catalogue in it and embedded, to be copied."""
    make_folder(folder, url)
    with engine_in_thread(folder, url) as link:
        assert finished(link)["state"] == "done"
    return folder


@contextmanager
def engine_in_thread(folder: Path, url: str, token: str = "") -> Iterator[EngineLink]:
    from stylus_ext.engine.serve import EngineAddress, serve

    found: list[EngineAddress] = []
    ready = threading.Event()

    def told(address: EngineAddress) -> None:
        found.append(address)
        ready.set()

    settings = with_values(Settings(), endpoint_settings(url))
    folder.mkdir(parents=True, exist_ok=True)
    thread = threading.Thread(target=serve, args=(folder, settings, 0, token, told))
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        link = EngineLink(found[0].url, found[0].token)
        yield link
    finally:
        with suppress(EngineGone):
            link.call("POST", "/v1/shutdown", {})
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


def finished(link: EngineLink, job_id: str = "") -> dict[str, Any]:
    """Waits for one job, or for the first: the preparation of the catalogue."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        job = (
            link.call("GET", f"/v1/jobs/{job_id}")
            if job_id
            else link.call("GET", "/v1/jobs")["jobs"][0]
        )
        if job["state"] in ("done", "failed", "cancelled"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"{job} did not end")


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.out)
        return answer


Cli = Callable[..., Ran]


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return (
        kept | {"STYLUS_DATA_DIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"} | dict(extra or {})
    )


def start(
    folder: Path, *words: str | bytes, extra: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    command: list[str | bytes] = [*main_command("stylus_ext.cli.main"), *words]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(folder, extra),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(
    folder: Path, *words: str | bytes, stdin: bytes = b"", extra: Mapping[str, str] | None = None
) -> Ran:
    """A command to its end; a traceback is never an answer."""
    process = start(folder, *words, extra=extra)
    try:
        out, err = process.communicate(stdin, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    ran = Ran(process.returncode, out.decode("utf-8"), err.decode("utf-8", "replace"))
    assert "Traceback" not in ran.out + ran.err, ran
    return ran


@contextmanager
def engine_process(
    folder: Path, *words: str, extra: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = start(folder, "serve", *words, extra=extra)
    try:
        wait_for_engine(folder, process)
        yield process
    finally:
        end(process)


def wait_for_engine(folder: Path, process: subprocess.Popen[bytes]) -> EngineLink:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        said = engine_address.read(folder)
        if said is not None and said.pid == process.pid:
            return EngineLink(said.url, said.token)
        time.sleep(0.05)
    end(process)
    raise AssertionError(
        f"the engine did not come up: {process.stderr.read() if process.stderr else b''!r}"
    )


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> Ran:
    """Ends it if it runs, and takes what it said."""
    if process.poll() is None:
        process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S) if not _closed(process) else (b"", b"")
    return Ran(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def _closed(process: subprocess.Popen[bytes]) -> bool:
    return process.stdout is None or process.stdout.closed


if sys.platform == "win32":
    raise ImportError("These helpers send signals that Windows does not know.")
