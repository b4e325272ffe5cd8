"""Files that are replaced in one step: readers see the old content or the new one; and users'
files, of which only regular ones are opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

FILE_S = 3.0
FOLDER_S = 30.0
"""How long to retry on Windows, where virus scanners keep fresh files open."""
_AGAIN_S = 0.02


def open_regular(path: Path, *, follow_links: bool = True) -> BinaryIO:
    """Open a regular file for reading; an `OSError` for anything else, such as a pipe, which would
    wait for ever.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    if not follow_links:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def make_private(path: Path) -> None:
    """Let the file be read by its owner alone; it is made where it is missing.

    One that is there is not opened: closing it would drop the locks that SQLite has on it.
    """
    with contextlib.suppress(OSError):  # another user's, or a drive without rights
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        path.chmod(0o600)


def write_file(
    path: Path, content: str | bytes, mode: int = 0o666, *, durable: bool = False
) -> None:
    """Write a file in one step; a durable one is on disk before it replaces the old one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(handle)
        replace_file(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def replace_file(
    made: Path, place: Path, wait_s: float = FILE_S, system: str = sys.platform
) -> None:
    """Replace a file in one step."""
    retry_on_windows(lambda: made.replace(place), wait_s, system)


def rename_folder(
    folder: Path, name: Path, wait_s: float = FOLDER_S, system: str = sys.platform
) -> None:
    """Rename a folder to a free name."""
    retry_on_windows(lambda: folder.rename(name), wait_s, system)


def retry_on_windows(step: Callable[[], object], wait_s: float, system: str = sys.platform) -> None:
    """Repeat a step that Windows refuses while another process has the file open."""
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
