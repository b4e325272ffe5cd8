"""The WebUI's install hook: start a build beside the WebUI if needed, and return at once.

It delays every start of the WebUI, so it imports little.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.files import is_locked
from stylus_ext.environment.layout import (
    BUILD_LOCK,
    ROOT,
    Environment,
    default_home,
    default_locks,
    plan_environment,
)

if TYPE_CHECKING:
    import subprocess


_IMPORTED = {
    "scripts": 0,
    "stylus_ext": 0,
    "stylus_ext/core": 2,
    "stylus_ext/environment": 2,
    "stylus_ext/host": 2,
}
"""Folders, and how many levels below them."""


def compile_extension(root: Path) -> bool:
    """Compile the modules that the WebUI imports; False if that is not possible."""
    if sys.dont_write_bytecode:
        return False
    import compileall

    done = [
        compileall.compile_dir(root / folder, maxlevels=levels, quiet=2)
        for folder, levels in _IMPORTED.items()
    ]
    return all(done)


BUILD_WORD = "--build-environment"


def run() -> int:
    """Run the hook; the exit code is always 0, others make the WebUI report a broken extension."""
    compile_extension(ROOT)
    try:
        environment = plan_environment(default_home(), default_locks())
        if not environment.ready:
            start_detached(environment)
            sys.stdout.write(
                f"Stylus prepares its environment in the background; see {environment.home.log}\n"
            )
    except (SetupProblem, OSError) as problem:
        sys.stdout.write(f"Stylus: {problem}\n")
    return 0


def start_detached(environment: Environment) -> subprocess.Popen[bytes] | None:
    """Start the build in a process that outlives this one; None if one runs already."""
    import subprocess

    home = environment.home
    home.folder.mkdir(parents=True, exist_ok=True)
    if is_locked(home.folder / f"{BUILD_LOCK}.lock"):
        return None
    command = [sys.executable, "-s", "-B", str(ROOT / "install.py"), BUILD_WORD]
    flags = 0
    if sys.platform == "win32":
        # A console without a window, which pip inherits; with none at all, Windows would open a
        # window for each child.
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (home.folder / "detached.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.folder,
            env=kept,
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )
