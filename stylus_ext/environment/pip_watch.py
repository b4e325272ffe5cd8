"""Run pip with this script's arguments, and end when the parent closes standard input."""

from __future__ import annotations

import os
import runpy
import sys
import threading
from collections.abc import Callable
from pathlib import Path


def _import_watcher() -> Callable[[], None]:
    """Import the watcher, then remove this package from the path that pip will see."""
    here = Path(__file__).resolve()
    # A Python that is told to be safe, and the embeddable one of Windows, do not put a script's
    # folder first.
    others = [folder for folder in sys.path if Path(folder).resolve() != here.parent]
    sys.path[:] = [str(here.parents[2]), *others]
    from stylus_ext.environment.parent_watch import wait_for_parent_end

    sys.path[:] = others
    return wait_for_parent_end


def _end_with_parent(wait: Callable[[], None]) -> None:
    wait()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, args=(_import_watcher(),), daemon=True).start()
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
