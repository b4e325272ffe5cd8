"""A lock on a file that the operating system releases when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.environment.problems import SetupProblem

# Windows refuses to read a locked byte, and the holder's name must stay readable: the lock is on a
# far byte.
_FAR = 1 << 30


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: process, what it does, and since when (seconds since 1970)."""

    pid: int
    what: str
    since: float

    def sentence(self) -> str:
        """For messages: names the holder."""
        minutes = max(0, int((time.time() - self.since) / 60))
        return f"{self.what} (process {self.pid}, for {minutes} min)"


class FileLock:
    """An exclusive lock; `fileno` may be handed on, and closing it lets go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self, what: str) -> bool:
        """Tries once, and writes into the file who holds it."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(handle):
            os.close(handle)
            return False
        self._handle = handle
        text = json.dumps({"pid": os.getpid(), "what": what, "since": time.time()}).encode()
        # One write over the old text, then the rest cut off: a reader sees either text, or one it
        # cannot parse.
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, text)
        os.ftruncate(handle, len(text))
        return True

    def release(self) -> None:
        """Lets go; the file stays, since removing it would let two processes lock two different
        files.
        """
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, 0)
            _let_go(self._handle)
            self._handle = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock now."""
        return self._handle is not None


def _lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _let_go(handle: int) -> None:
    """Windows takes its time over a lock that merely went with its file."""
    if sys.platform == "win32":
        import msvcrt

        with contextlib.suppress(OSError):
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on this file."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    if _lock(handle):
        _let_go(handle)
        return False
    os.close(handle)
    return True


def holder_of(path: Path) -> Holder | None:
    """Who wrote that it holds the lock; None when the file says nothing."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Holder(int(said["pid"]), str(said["what"]), float(said["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def hold(
    folder: Path,
    name: str,
    what: str,
    wait_s: float = 0.0,
    on_wait: Callable[[Holder | None], None] | None = None,
) -> Iterator[FileLock]:
    """Holds `<folder>/<name>.lock`, waiting up to `wait_s`; `on_wait` hears once who is waited
    for.
    """
    path = folder / f"{name}.lock"
    lock = FileLock(path)
    until, told = time.monotonic() + wait_s, False
    while not acquire_or_explain(lock, what):
        if not told and on_wait is not None:
            on_wait(holder_of(path))
            told = True
        if time.monotonic() >= until:
            holder = holder_of(path)
            who = holder.sentence() if holder else "another process"
            raise SetupProblem(
                f"The folder {folder} is in use by {who}. Please wait for it, or end that process."
            )
        time.sleep(0.1)
    try:
        yield lock
    finally:
        lock.release()


def acquire_or_explain(lock: FileLock, what: str) -> bool:
    """As `acquire`, with the operating system's refusal to open the file as a sentence."""
    try:
        return lock.acquire(what)
    except OSError as error:
        raise SetupProblem(
            f"The lock {lock.path} cannot be opened: {error}. Please check the folder's rights."
        ) from error
