"""Standard output as Windows gives it to a pipe or a file knows only some letters, and a path or a
name may have others.
"""

from __future__ import annotations

import io
import sys


def speak_with_what_there_is() -> None:
    """From now on a letter that the output's encoding lacks becomes a question mark, and stops
    nobody.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
