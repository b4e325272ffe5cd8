"""Which Python and which platform this is, and whether the private environment exists for it."""

from __future__ import annotations

import importlib.machinery
import platform
import struct
import sys

from stylus_ext.environment.problems import SetupProblem

_POINTER_BYTES = 8
OLDEST, NEWEST = (3, 10), (3, 13)
_SYSTEMS = {"linux": "linux", "win32": "windows", "darwin": "macos"}
_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_NAMES = {
    ("linux", "x86_64"): "linux-x86_64",
    ("linux", "aarch64"): "linux-aarch64",
    ("windows", "x86_64"): "windows-amd64",
    ("macos", "aarch64"): "macos-arm64",
    ("macos", "x86_64"): "macos-x86_64",
}


def python_version() -> str:
    """The running Python as the locks name it, for example 3.11."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def lock_name(system: str = sys.platform, machine: str | None = None) -> str:
    """The name of the platform's lock; refuses a platform that has none."""
    spoken = machine if machine is not None else platform.machine()
    key = (_SYSTEMS.get(system, system), _ARCHITECTURES.get(spoken.lower(), spoken))
    if key not in _NAMES:
        known = ", ".join(sorted(_NAMES.values()))
        raise SetupProblem(
            f"Stylus has no environment for {system} on {spoken}: it knows {known}. Please use one"
            " of these."
        )
    return _NAMES[key]


def check_python() -> None:
    """Refuses an interpreter for which the wheels do not exist."""
    here = f"This is {platform.python_implementation()} {platform.python_version()}"
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SetupProblem(
            f"Stylus needs Python 3.10, 3.11, 3.12 or 3.13. {here}; please start it with one of"
            " those."
        )
    if platform.python_implementation() != "CPython":
        raise SetupProblem(
            f"Stylus needs CPython 3.10 to 3.13. {here}; please start it with CPython."
        )
    if struct.calcsize("P") != _POINTER_BYTES:
        raise SetupProblem(
            f"Stylus needs a 64-bit Python. {here} in 32 bits; please install the 64-bit one."
        )
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    if "musl" in suffix:
        raise SetupProblem(
            "Stylus needs a Linux with glibc; this Python is built for musl (Alpine), without"
            " wheels."
        )
    if "t-" in suffix.split("cpython-")[-1][:6]:
        raise SetupProblem(
            "Stylus needs the usual Python with its lock; this is a free-threaded build without"
            " wheels."
        )
