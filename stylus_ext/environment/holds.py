"""Who uses an environment: a locked file for each process, so that nothing in use is deleted."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import time
from pathlib import Path

from stylus_ext.environment.layout import MANIFEST, Home
from stylus_ext.environment.locking import FileLock, holder_of, is_locked
from stylus_ext.environment.problems import SetupProblem

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
    atexit.register(_let_go, lock, os.getpid())
    return lock


def _let_go(lock: FileLock, owner: int) -> None:
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
