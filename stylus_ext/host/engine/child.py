"""One engine as a child process: starts it, logs its output, reads its ready line."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

LOG_FILE = "engine-start.log"
READY_WORDS = "Stylus engine "
_LARGEST_LOG = 200_000
_LAST_LINES = 20
_GRACE_S = 8.0
_THREADS = "2"
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


class EngineChild:
    """Starts on creation; `heard` gets every line in the reader's thread, "" at the end."""

    def __init__(
        self,
        command: list[str],
        variables: Mapping[str, str],
        folder: Path,
        heard: Callable[[str], None],
    ) -> None:
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._log = folder / LOG_FILE
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # nothing is ever written: it ends with us, however we end
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={
                **variables,
                **dict.fromkeys(_THREAD_VARIABLES, _THREADS),
                "PYTHONUNBUFFERED": "1",
                "PYTHONIOENCODING": "utf-8",
            },
            start_new_session=sys.platform
            != "win32",  # Ctrl+C in the WebUI's terminal is not for it
            creationflags=flags,
        )
        self._reader = threading.Thread(
            target=self._read, args=(heard,), name="stylus-engine-log", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> int:
        """Wait for the exit and for the last output."""
        code = self._process.wait()
        self._reader.join(1.0)
        return code

    def ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ask_to_end(self) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def end(self) -> None:
        """Terminate, then kill; returns after the exit."""
        self.ask_to_end()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """The last non-empty line, for messages."""
        return next((line.strip() for line in reversed(self._last) if line.strip()), "")

    def _read(self, heard: Callable[[str], None]) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        with stream, _opened(self._log) as log:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                self._last.append(line)
                if log.tell() < _LARGEST_LOG:
                    log.write(line.encode("utf-8", "replace") + b"\n")
                    log.flush()
                heard(line)
        self.ask_to_end()
        heard("")


def _opened(path: Path):  # type: ignore[no-untyped-def]  # the standard library gives no name to what this returns
    """Open the log, readable by its user only; the previous one is kept."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > _LARGEST_LOG // 2:
            path.replace(path.with_name(f"{path.name}.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
