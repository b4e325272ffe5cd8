"""Run commands in the environment, building it first with progress in the terminal."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from typing import TextIO

from stylus_ext.environment.build import BuildOptions, build
from stylus_ext.environment.files import Holder, is_locked
from stylus_ext.environment.layout import BUILD_LOCK, Environment, Home
from stylus_ext.environment.progress import BuildProgress, read_progress
from stylus_ext.environment.run_in_env import ALONE_VARIABLE, command, main_command, variables

# Seconds between progress lines where the output is not a terminal.
_EVERY_S = 10.0


class ProgressBar:
    """Progress on standard error: one line in a terminal, else one line per step."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._live, self._step, self._width = stream, stream.isatty(), "", 0
        self._last = 0.0

    def show(self, progress: BuildProgress) -> None:
        """Show one state."""
        line = progress.line()
        if self._live:
            self._stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        elif progress.step != self._step or time.monotonic() - self._last > _EVERY_S:
            self._stream.write(line + "\n")
            self._last = time.monotonic()
        self._step = progress.step
        self._stream.flush()

    def close(self) -> None:
        """End the line in a terminal."""
        if self._live and self._width:
            self._stream.write("\n")
            self._stream.flush()


def ensure(environment: Environment, stream: TextIO, options: BuildOptions | None = None) -> None:
    """Build what is missing in the foreground, or follow a build that runs already."""
    if environment.ready:
        return
    stream.write(
        f"Stylus prepares its environment in {environment.home.folder} (once; nothing else is"
        " changed).\n"
    )
    bar = ProgressBar(stream)
    try:
        _follow(environment.home, bar)
        build(environment, options or BuildOptions(show=bar.show, on_wait=WaitNotice(stream)))
    finally:
        bar.close()


class WaitNotice:
    """Reports the process that is waited for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, holder: Holder | None) -> None:
        user = holder.sentence() if holder else "another process"
        self._stream.write(f"Waiting for {user}.\n")


def _follow(home: Home, bar: ProgressBar) -> None:
    """Show another process's build until it ends."""
    lock = home.folder / f"{BUILD_LOCK}.lock"
    while is_locked(lock):
        progress = read_progress(home.progress)
        if progress is not None and not progress.finished:
            bar.show(progress)
        time.sleep(0.3)


CLI = "stylus_ext.cli.main"


def gpu_wanted(default: bool = False) -> bool:
    """Whether the user chose a GPU."""
    standard = "cuda" if default else "cpu"
    return os.environ.get("STYLUS_DEVICE", standard).lower() not in ("", "cpu")


def environment_variables(environment: Environment, *, gpu: bool = False) -> dict[str, str]:
    """Return the variables for a child process in this environment; `gpu` is the default."""
    alone = {ALONE_VARIABLE: "0" if environment.torch.reused else "1"}
    return variables(environment.path, os.environ, gpu=gpu_wanted(gpu)) | alone


def run_cli(environment: Environment, arguments: list[str], *, gpu: bool = False) -> int:
    """Run a command of the product."""
    return run(main_command(CLI, *arguments), environment_variables(environment, gpu=gpu))


def run_module(
    environment: Environment, module: str, arguments: list[str], extra: dict[str, str]
) -> int:
    """Run a module of the environment, for example a test tool."""
    return run(command(module, *arguments), environment_variables(environment) | extra)


def run(words: list[str], variables_: dict[str, str], cwd: str | None = None) -> int:
    """Run a child in this terminal and wait for it; Ctrl+C reaches it directly."""
    sys.stdout.flush()
    sys.stderr.flush()
    with subprocess.Popen(words, env=variables_, cwd=cwd) as child:
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        passed_on = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            code = child.wait()
        finally:
            signal.signal(signal.SIGINT, previous)
            signal.signal(signal.SIGTERM, passed_on)
    # A child ended by a signal: as shells say it.
    return 128 - code if code < 0 else code


def replace_unencodable() -> None:
    """Replace characters that the output's encoding lacks, instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
