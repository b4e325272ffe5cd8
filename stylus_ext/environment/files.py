"""A lock on a file that the operating system releases when its process ends, however it ends."""

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
            _unlock_and_close(self._handle)
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


def _unlock_and_close(handle: int) -> None:
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
        _unlock_and_close(handle)
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


_SETTLED_S = 2.0


def hold_folder(folder: Path, what: str) -> FileLock:
    """Marks one environment folder as in use until this process ends; refuses one that is no
    more.
    """
    home = Home(folder.parent)
    home.holds.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home.holds / f"{folder.name}.{os.getpid()}.{secrets.token_hex(3)}")
    # Somebody who looks whether it is held locks it for a blink.
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
    """An orderly end leaves no file; after kill -9 the next look sweeps it. A forked copy is not
    the owner.
    """
    if os.getpid() == owner:
        lock.release()
        with contextlib.suppress(OSError):
            lock.path.unlink()


def users(folder: Path) -> list[str]:
    """Who uses this folder, as sentences' parts; holds of the dead are swept on the way."""
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
        elif _settled(path):
            with contextlib.suppress(OSError):
                path.unlink()
    return found


def _settled(path: Path) -> bool:
    """False for a file that was made a moment ago: its owner may be between making and locking
    it.
    """
    try:
        return time.time() - path.stat().st_mtime > _SETTLED_S
    except OSError:
        return False


FILE_S = 3.0
FOLDER_S = 30.0
"""A virus scanner looks into every file of what was unpacked a moment ago."""
_AGAIN_S = 0.02


def put_in_place(
    made: Path, place: Path, wait_s: float = FILE_S, system: str = sys.platform
) -> None:
    """Over the file that was there."""
    _patiently(lambda: made.replace(place), wait_s, system)


def give_name(
    folder: Path, name: Path, wait_s: float = FOLDER_S, system: str = sys.platform
) -> None:
    """A name that nothing has."""
    _patiently(lambda: folder.rename(name), wait_s, system)


def _patiently(step: Callable[[], object], wait_s: float, system: str) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            step()
        except PermissionError:  # elsewhere it means what it says
            if system != "win32" or time.monotonic() >= until:
                raise
            time.sleep(_AGAIN_S)
        else:
            return
