"""One private environment for each gradio: a lock goes in, what starts a program in it comes
out.
"""

from __future__ import annotations

import os
from pathlib import Path

from stylus_ext.environment.build import BuildOptions, build
from stylus_ext.environment.launch import environment_variables
from stylus_ext.environment.layout import (
    Environment,
    EnvironmentPart,
    Home,
    default_home,
    default_locks,
    read_lock,
    short_key,
)
from stylus_ext.environment.machine import Torch, platform_name, python_version
from stylus_ext.environment.run_in_env import ALONE_VARIABLE

VERSIONS = {"gradio-3": "3.41.2", "gradio-4": "4.40.0", "gradio-neo": "4.40.0"}
"""The gradio of each lock: of A1111 and reForge, of Forge, and of Forge Neo."""


def gradio_environment(name: str, below: Path | None = None) -> Environment:
    """A home of its own below the engine's, so that neither build takes the other's folders for
    replaced ones.
    """
    lock = read_lock(default_locks() / f"{name}.txt")
    home = Home((below or default_home().folder) / name)
    key = short_key(lock.text, python_version(), platform_name())
    return Environment(
        home,
        key,
        (EnvironmentPart(home.folder / key, lock),),
        Torch("", reused=True),
        frozenset({key}),
        frozenset({short_key(lock.text)}),
    )


def built(name: str) -> Environment:
    """Ready to start programs in; raises with a sentence when it cannot be built."""
    environment = gradio_environment(name)
    build(environment, BuildOptions())
    return environment


def variables(environment: Environment) -> dict[str, str]:
    """A program of this environment sees none of the packages of the Python that runs the tests."""
    kept = {
        name: value
        for name, value in environment_variables(environment).items()
        if not name.startswith("COV")
    }
    return kept | {
        ALONE_VARIABLE: "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "MPLCONFIGDIR": os.fspath(environment.home.folder),
    }
