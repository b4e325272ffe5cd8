"""File locks that end with their process, and locks of environments in use."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.layout import MANIFEST, Home

# Windows refuses to read a locked byte, and the holder's name must stay readable: the lock is on a
# far byte.
_FAR = 1 << 30


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lock: process, purpose, and time since 1970 in seconds."""

    pid: int
    what: str
    since: float

    def sentence(self) -> str:
        """Describe the holder for messages."""
        minutes = max(0, int((time.time() - self.since) / 60))
        return f"{self.what} (process {self.pid}, for {minutes} min)"


class FileLock:
    """An exclusive lock on a file, which also names its holder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self, what: str) -> bool:
        """Try once; on success write the holder into the file."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(handle):
            os.close(handle)
            return False
        self._handle = handle
        text = json.dumps({"pid": os.getpid(), "what": what, "since": time.time()}).encode()
        # One write over the old text, then the rest cut off: a reader sees either text, or one it
        # cannot parse. On a full disk the lock does without a name.
        with contextlib.suppress(OSError):
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, text)
            os.ftruncate(handle, len(text))
        return True

    def release(self) -> None:
        """Release; the file stays, since deleting it could split the lock in two."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, 0)
            _unlock_and_close(self._handle)
            self._handle = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
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


def _unlock_and_close(handle: int) -> None:
    """Unlock explicitly: Windows is slow to release the lock of a closed file."""
    if sys.platform == "win32":
        import msvcrt

        with contextlib.suppress(OSError):
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on this file."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    if _lock(handle):
        _unlock_and_close(handle)
        return False
    os.close(handle)
    return True


def holder_of(path: Path) -> Holder | None:
    """Return the holder written in the file; None if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Holder(int(content["pid"]), str(content["what"]), float(content["since"]))
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
    """Hold `<folder>/<name>.lock`, waiting up to `wait_s`; `on_wait` is called once."""
    path = folder / f"{name}.lock"
    lock = FileLock(path)
    until, reported = time.monotonic() + wait_s, False
    while not acquire_or_explain(lock, what):
        if not reported and on_wait is not None:
            on_wait(holder_of(path))
            reported = True
        if time.monotonic() >= until:
            holder = holder_of(path)
            user = holder.sentence() if holder else "another process"
            raise SetupProblem(
                f"The folder {folder} is in use by {user}. Wait for it or stop that process."
            )
        time.sleep(0.1)
    try:
        yield lock
    finally:
        lock.release()


def acquire_or_explain(lock: FileLock, what: str) -> bool:
    """Try to acquire; raise SetupProblem if the file cannot be opened."""
    try:
        return lock.acquire(what)
    except OSError as error:
        raise SetupProblem(
            f"The lock {lock.path} cannot be opened: {error}. Check the folder's permissions."
        ) from error


_SETTLED_S = 2.0


def hold_folder(folder: Path, what: str) -> FileLock:
    """Mark an environment folder as used until this process ends."""
    home = Home(folder.parent)
    home.holds.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home.holds / f"{folder.name}.{os.getpid()}.{secrets.token_hex(3)}")
    # A check whether it is held locks it for a moment.
    for _ in range(50):
        if lock.acquire(what):
            break
        time.sleep(0.02)
    # The other side looks for holds before it moves the folder away: look for the folder after
    # holding.
    if not (folder / MANIFEST).is_file():
        lock.release()
        raise SetupProblem(
            f"The environment {folder} was replaced a moment ago. Please start the command again."
        )
    atexit.register(_release_hold, lock, os.getpid())
    return lock


def _release_hold(lock: FileLock, owner: int) -> None:
    """Delete the usage lock at exit, but not in a forked copy."""
    if os.getpid() == owner:
        lock.release()
        with contextlib.suppress(OSError):
            lock.path.unlink()


def folder_users(folder: Path) -> list[str]:
    """Return the processes that use this folder; delete usage locks of dead ones."""
    holds = Home(folder.parent).holds
    found: list[str] = []
    if not holds.is_dir():
        return found
    for path in sorted(holds.iterdir()):
        if not path.name.startswith(f"{folder.name}."):
            continue
        if is_locked(path):
            holder = holder_of(path)
            found.append(holder.sentence() if holder else path.name)
        elif _is_old_enough(path):
            with contextlib.suppress(OSError):
                path.unlink()
    return found


def _is_old_enough(path: Path) -> bool:
    """Whether the file is old enough for its owner to have locked it."""
    try:
        return time.time() - path.stat().st_mtime > _SETTLED_S
    except OSError:
        return False
