"""A lock on a file, which the system releases when its process ends, however it ends: a path goes
in, one holder at a time comes out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from stylus_ext.backends.http.waiting import pause
from stylus_ext.core.errors import StoreProblem

_AGAIN_S = 0.05
_NO_LOCKS = {
    errno.ENOLCK,
    errno.ENOSYS,
    getattr(errno, "EOPNOTSUPP", errno.ENOSYS),
    getattr(errno, "ENOTSUP", errno.ENOSYS),
}
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


@contextlib.contextmanager
def held(
    path: Path, check: Callable[[], None], waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Waits until nobody else has it, in this process or another; `waiting` hears once that it has
    to wait, `check` may end it.

    A drive that knows no locks is worked on without them: what is written there has names of its
    own, and is placed exclusively.
    """
    told = False
    while (handle := _taken(path)) is None:
        if not told:
            waiting()
            told = True
        pause(_AGAIN_S, check)
    try:
        yield
    finally:
        with contextlib.suppress(
            OSError
        ):  # Windows does not delete what is open; the next holder finds it and goes on
            path.unlink()
        os.close(handle)


def _taken(path: Path) -> int | None:
    """An open handle that holds the lock; None while another has it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o600)
    except PermissionError:
        if sys.platform == "win32" and path.exists():  # it is just being deleted
            return None
        raise _refused(path, "its folder cannot be written to") from None
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    if _locked(handle) and _is_still(handle, path):
        return handle
    os.close(handle)
    return None


def _refused(path: Path, why: str) -> StoreProblem:
    return StoreProblem(
        f"Nothing can be fetched into {path.parent}: {why}. Check that folder and its rights."
    )


def _locked(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def _is_still(handle: int, path: Path) -> bool:
    """The holder before us deletes the file: a lock on what is deleted is none."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False
