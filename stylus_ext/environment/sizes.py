"""The size of a folder, and the space that is left beside it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

MEGABYTE = 1_000_000


def folder_size(folder: Path) -> int:
    """Bytes in all files below; what vanishes while we look counts nothing."""
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    with suppress(OSError):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def free_bytes(folder: Path) -> int:
    """What the file system of this folder has left."""
    return shutil.disk_usage(folder).free
