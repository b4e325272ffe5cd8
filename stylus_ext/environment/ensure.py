"""Makes sure that an environment is there, in front of somebody who waits for it in a terminal."""

from __future__ import annotations

import time
from typing import TextIO

from stylus_ext.environment.build import BuildOptions, build
from stylus_ext.environment.layout import BUILD_LOCK, Environment, Home
from stylus_ext.environment.locking import Holder, is_locked
from stylus_ext.environment.progress import Progress, read_progress

# Where nobody rewrites a line, say again where we are.
_EVERY_S = 10.0


class Bar:
    """Shows progress on standard error: one line rewritten in a terminal, a line per step
    elsewhere.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._live, self._step, self._width = stream, stream.isatty(), "", 0
        self._last = 0.0

    def show(self, progress: Progress) -> None:
        """Shows one state."""
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
        """Leaves the terminal on a new line."""
        if self._live and self._width:
            self._stream.write("\n")
            self._stream.flush()


def ensure(environment: Environment, stream: TextIO, options: BuildOptions | None = None) -> None:
    """Builds in the foreground what is missing; a build that runs already is shown and waited
    for.
    """
    if environment.ready:
        return
    stream.write(
        f"Stylus prepares its environment in {environment.home.folder} (once; nothing else is"
        " changed).\n"
    )
    bar = Bar(stream)
    try:
        _follow(environment.home, bar)
        build(environment, options or BuildOptions(show=bar.show, on_wait=Teller(stream)))
    finally:
        bar.close()


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
