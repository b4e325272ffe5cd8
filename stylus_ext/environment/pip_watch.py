"""Runs pip with this file's arguments, and ends with its parent: standard input closes when the builder dies."""

from __future__ import annotations

import os
import runpy
import sys
import threading


def _end_with_parent() -> None:
    # Not sys.stdin: a thread that waits in its buffer would stop the interpreter from ending.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    # Otherwise this folder stands first on the path, and its module names in front of everybody's.
    sys.path.pop(0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
