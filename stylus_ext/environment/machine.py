"""What this machine offers: Python, platform, torch, data folder, disk space."""

from __future__ import annotations

import importlib.machinery
import os
import platform
import re
import shutil
import site
import struct
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.core.errors import SetupProblem

OLDEST_TORCH = (2, 1)
# The last torch version with wheels for each platform. There is none for Python 3.13 on Intel Macs.
CPU_VERSIONS = {"macos-x86_64": "2.2.2"}
WITHOUT_TORCH = frozenset({("macos-x86_64", "3.13")})
CPU_VERSION = "2.13.0"
# The general index gives Linux a CUDA build of gigabytes that needs a dozen more packages; this one
# has CPU builds.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True, slots=True)
class Torch:
    """A torch version; `reused` if the interpreter has it already."""

    version: str
    reused: bool


def engine_search_path() -> list[str]:
    """Return the part of `sys.path` that a child with `-s` also has."""
    added = {
        str(Path(folder).absolute())
        for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if folder
    }
    user = str(Path(site.getusersitepackages()).absolute()) if site.ENABLE_USER_SITE else None
    script = str(Path(sys.argv[0]).absolute().parent) if sys.argv and sys.argv[0] else None
    dropped = added | {folder for folder in (user, script) if folder}
    # What sits in .engine is put on the path by ourselves, and is not the interpreter's.
    return [
        folder
        for folder in sys.path
        if folder
        and str(Path(folder).absolute()) not in dropped
        and Path(folder).parent.name != ".engine"
    ]


def importable_torch(path: Sequence[str]) -> str | None:
    """Return the version of the torch on this search path, without importing it."""
    spec = importlib.machinery.PathFinder.find_spec("torch", list(path))
    if spec is None or spec.origin is None:
        return None
    version_file = Path(spec.origin).with_name("version.py")
    try:
        match = re.search(
            r"__version__\s*=\s*['\"]([^'\"]+)['\"]", version_file.read_text(encoding="utf-8")
        )
    except (OSError, UnicodeDecodeError):
        return None
    return match.group(1) if match else None


def choose_torch(platform: str, path: Sequence[str]) -> Torch:
    """Return the interpreter's torch if it is new enough, else a CPU build."""
    found = importable_torch(path)
    if found is not None and _numbers(found) >= OLDEST_TORCH:
        return Torch(found, reused=True)
    return Torch(CPU_VERSIONS.get(platform, CPU_VERSION), reused=False)


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


@dataclass(frozen=True, slots=True)
class TorchAttempt:
    """One way to get torch from pip; `cpu_only` refuses a CUDA build before downloading."""

    arguments: tuple[str, ...]
    step: str
    cpu_only: bool = False


def needs_cuda(requirements: Sequence[str]) -> bool:
    """Whether these dependencies belong to a CUDA build."""
    return any(re.match(r"(nvidia|cuda|triton)", name, re.IGNORECASE) for name in requirements)


def torch_attempts(
    version: str, system: str, hashes: Path, cpu_index: str = CPU_INDEX
) -> list[TorchAttempt]:
    """Return the ways to get torch: local files, PyTorch's CPU index, the default index.

    `hashes` lists the files of the default index; the CPU index has other files.
    """
    wanted = f"torch=={version}"
    near = TorchAttempt((wanted, "--no-index"), "looking for torch on this machine")
    checked = ("--require-hashes", "-r", str(hashes))
    usual = TorchAttempt(checked, "fetching torch", cpu_only=system.startswith("linux"))
    if not system.startswith("linux"):
        return [near, usual]
    cpu = TorchAttempt(
        (wanted, "--index-url", cpu_index, "--retries", "2"), "fetching torch's CPU build"
    )
    return [near, cpu, usual]


VARIABLE = "STYLUS_DATA_DIR"
_NAME = "stylus-webui"


def data_folder(argument: str | None = None) -> Path:
    """Return --data-dir, else STYLUS_DATA_DIR, else the user's folder; create nothing."""
    named = argument or os.environ.get(VARIABLE)
    try:
        if named:
            return Path(named).expanduser().absolute()
        return platform_folder(sys.platform, os.environ, Path.home())
    except RuntimeError as error:  # no HOME, and no such user
        raise SetupProblem(
            f"This user has no home folder. Name a data folder with --data-dir or {VARIABLE}."
        ) from error


def webui_folder(extension: Path) -> Path | None:
    """Return the data folder of the WebUI that this extension is installed in, if any."""
    folder = extension.parent
    return folder.parent / "stylus" if folder.name == "extensions" else None


def platform_folder(system: str, variables: Mapping[str, str], home: Path) -> Path:
    """Return the system's folder for a user's application data."""
    if system == "win32":
        return Path(variables.get("LOCALAPPDATA") or home / "AppData" / "Local") / _NAME
    if system == "darwin":
        return home / "Library" / "Application Support" / _NAME
    base_folder = variables.get("XDG_DATA_HOME", "")
    # The standard says that a relative path there is to be ignored.
    base = Path(base_folder) if Path(base_folder).is_absolute() else home / ".local" / "share"
    return base / _NAME


_POINTER_BYTES = 8
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
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
    """Return the running Python as the locks name it, for example 3.11."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def interpreter_name() -> str:
    """Return a name that tells interpreters of one version apart, for example a venv's."""
    return f"{python_version()} {Path(sys.prefix).resolve()}"


def interpreter_exists(name: str) -> bool:
    """Whether the interpreter is still there; older files name only the version."""
    prefix = name.partition(" ")[2]
    return not prefix or Path(prefix).is_dir()


def platform_name(system: str = sys.platform, machine: str | None = None) -> str:
    """Return the name of the platform; refuse an unsupported one."""
    hardware = machine if machine is not None else platform.machine()
    key = (_SYSTEMS.get(system, system), _ARCHITECTURES.get(hardware.lower(), hardware))
    if key not in _NAMES:
        known = ", ".join(sorted(_NAMES.values()))
        raise SetupProblem(
            f"Stylus has no environment for {system} on {hardware}: it knows {known}."
        )
    return _NAMES[key]


def check_python() -> None:
    """Refuse an interpreter without wheels."""
    here = f"This is {platform.python_implementation()} {platform.python_version()}"
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
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


MEGABYTE = 1_000_000


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below; ignore files that vanish meanwhile."""
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
    """Return the free space of the folder's file system."""
    return shutil.disk_usage(folder).free
