"""Wait for the end of standard input, by which a child learns that its parent has ended.

Reads the descriptor: a thread waiting in `sys.stdin` would keep the interpreter from ending.
As a script, this runs pip with the script's arguments until then.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

_MOST = 4096
_LOOK_S = 0.5


def wait_for_parent_end() -> None:
    """Return when the other end is closed; raise OSError if it cannot be read."""
    if sys.platform == "win32":
        # A read that waits would stop everything else that asks Windows about this pipe, such as
        # numpy's Fortran as it is loaded.
        import _winapi
        import msvcrt

        pipe = msvcrt.get_osfhandle(0)
        if poll_until_end(
            lambda: _winapi.PeekNamedPipe(pipe, 0)[0], lambda waiting: os.read(0, waiting)
        ):
            return
    while os.read(0, _MOST):
        pass


def poll_until_end(
    look: Callable[[], int], take: Callable[[int], object], pause_s: float = _LOOK_S
) -> bool:
    """Poll until the pipe ends; False if it cannot be polled, as a console."""
    looked = False
    while True:
        try:
            waiting = look()
        except BrokenPipeError:
            return True
        except OSError:
            return looked
        looked = True
        if waiting:
            take(min(waiting, _MOST))
        else:
            time.sleep(pause_s)


def _run_pip() -> None:
    def end_with_parent() -> None:
        wait_for_parent_end()
        os._exit(1)

    here = Path(__file__).resolve().parent
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != here]
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _run_pip()
