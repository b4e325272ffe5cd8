"""Puts what was made beside in its place, in one step; Windows refuses that while anybody reads it,
and is asked again for a while.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

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
