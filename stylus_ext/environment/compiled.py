"""Byte code of what the WebUI imports of this extension, made before it starts: after an update
nobody waits for the compiler.

Python itself writes it at the first import, on the WebUI's own thread; what is up to date is only
looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path

_IMPORTED = {
    "scripts": 0,
    "stylus_ext": 0,
    "stylus_ext/core": 2,
    "stylus_ext/environment": 2,
    "stylus_ext/host": 2,
}
"""Folders, and how many levels below them."""


def compile_extension(root: Path) -> bool:
    """False where nothing may be written: then all works as well, and the first import is
    slower.
    """
    if sys.dont_write_bytecode:
        return False
    import compileall

    done = [
        compileall.compile_dir(root / folder, maxlevels=levels, quiet=2)
        for folder, levels in _IMPORTED.items()
    ]
    return all(done)
