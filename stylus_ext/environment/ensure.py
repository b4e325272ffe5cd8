"""Makes sure that an environment is there: waited for in a terminal, or started beside the WebUI."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

from stylus_ext.environment.build import BUILD_LOCK, BuildOptions, build
from stylus_ext.environment.layout import ROOT, Environment, Home
from stylus_ext.environment.locking import Holder, is_locked
from stylus_ext.environment.progress import Progress, read_progress

BUILD_WORD = "--build-environment"


class Bar:
    """Shows progress on standard error: one line rewritten in a terminal, a line per step elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._live, self._step, self._width = stream, stream.isatty(), "", 0
        self._last = 0.0

    def show(self, progress: Progress) -> None:
        """Shows one state."""
        line = progress.line()
        if self._live:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        elif progress.step != self._step or time.monotonic() - self._last > 10:
            self._stream.write(line + "\n")
            self._last = time.monotonic()
        self._step = progress.step
        self._stream.flush()

    def close(self) -> None:
        """Leaves the terminal on a new line."""
        if self._live and self._width:
            self._stream.write("\n")
            self._stream.flush()


def ensure(environment: Environment, stream: TextIO, options: BuildOptions | None = None) -> None:
    """Builds in the foreground what is missing; a build that runs already is shown and waited for."""
    if environment.ready:
        return
    stream.write(f"Stylus prepares its environment in {environment.home.folder} (once; nothing else is changed).\n")
    bar = Bar(stream)
    try:
        _follow(environment.home, bar)
        build(environment, options or BuildOptions(show=bar.show, on_wait=_teller(stream)))
    finally:
        bar.close()


def _teller(stream: TextIO) -> "Teller":
    return Teller(stream)


class Teller:
    """Says who is waited for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, holder: Holder | None) -> None:
        who = holder.sentence() if holder else "another process"
        self._stream.write(f"Waiting for {who}.\n")


def _follow(home: Home, bar: Bar) -> None:
    """Shows the build of another process until it ends, however it ends."""
    lock = home.folder / f"{BUILD_LOCK}.lock"
    while is_locked(lock):
        progress = read_progress(home.progress)
        if progress is not None and not progress.finished:
            bar.show(progress)
        time.sleep(0.3)


def start_detached(environment: Environment) -> None:
    """Starts the build in a process that outlives this one, and holds none of its pipes."""
    home = environment.home
    home.folder.mkdir(parents=True, exist_ok=True)
    if is_locked(home.folder / f"{BUILD_LOCK}.lock"):
        return
    command = [sys.executable, "-s", "-B", str(ROOT / "install.py"), BUILD_WORD]
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (home.folder / "detached.log").open("ab") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.folder,
            env=kept,
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )


def elsewhere(folder: Path) -> bool:
    """Whether a build of another process runs now in this home."""
    return is_locked(folder / f"{BUILD_LOCK}.lock")
