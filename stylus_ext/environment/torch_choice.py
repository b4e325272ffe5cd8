"""Which torch the engine gets: one that the interpreter can import, else a CPU build of its own."""

from __future__ import annotations

import importlib.machinery
import os
import re
import site
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OLDEST = (2, 1)
# The last version with wheels for each platform; every Python from 3.10 to 3.13 is among them, but
# on old Macs.
CPU_VERSIONS = {"macos-x86_64": "2.2.2"}
CPU_VERSION = "2.13.0"
# The general index gives Linux a CUDA build of gigabytes that needs a dozen more packages; this one
# has CPU builds.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True, slots=True)
class Torch:
    """A version, and whether it is the interpreter's own (reused) or one to be put in."""

    version: str
    reused: bool


def engine_search_path() -> list[str]:
    """The part of `sys.path` that a child with `-s` and without PYTHONPATH has as well."""
    added = {
        str(Path(one).absolute())
        for one in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if one
    }
    user = str(Path(site.getusersitepackages()).absolute()) if site.ENABLE_USER_SITE else None
    script = str(Path(sys.argv[0]).absolute().parent) if sys.argv and sys.argv[0] else None
    dropped = added | {one for one in (user, script) if one}
    # What sits in .engine is put on the path by ourselves, and is not the interpreter's.
    return [
        one
        for one in sys.path
        if one and str(Path(one).absolute()) not in dropped and Path(one).parent.name != ".engine"
    ]


def importable(path: Sequence[str]) -> str | None:
    """The version of the torch that this search path holds, read without importing it."""
    spec = importlib.machinery.PathFinder.find_spec("torch", list(path))
    if spec is None or spec.origin is None:
        return None
    stated = Path(spec.origin).with_name("version.py")
    try:
        match = re.search(
            r"__version__\s*=\s*['\"]([^'\"]+)['\"]", stated.read_text(encoding="utf-8")
        )
    except (OSError, UnicodeDecodeError):
        return None
    return match.group(1) if match else None


def choose(platform: str, path: Sequence[str]) -> Torch:
    """The interpreter's torch when it is new enough, else the CPU build for this platform."""
    found = importable(path)
    if found is not None and _numbers(found) >= OLDEST:
        return Torch(found, reused=True)
    return Torch(CPU_VERSIONS.get(platform, CPU_VERSION), reused=False)


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to ask pip for torch; `cpu_only` asks first what pip would take, and refuses a CUDA
    build.
    """

    arguments: tuple[str, ...]
    says: str
    cpu_only: bool = False


def needs_cuda(requirements: Sequence[str]) -> bool:
    """Whether a torch with these dependencies is a CUDA build; a CPU build asks for none of
    NVIDIA's packages.
    """
    return any(re.match(r"(nvidia|cuda|triton)", one, re.IGNORECASE) for one in requirements)


def attempts(version: str, system: str, cpu_index: str = CPU_INDEX) -> list[Attempt]:
    """From the nearest to the farthest: what lies here already, PyTorch's CPU index, the usual
    index.
    """
    wanted = f"torch=={version}"
    near = Attempt((wanted, "--no-index"), "looking for torch on this machine")
    usual = Attempt((wanted,), "fetching torch", cpu_only=system.startswith("linux"))
    if not system.startswith("linux"):
        return [near, usual]
    cpu = Attempt(
        (wanted, "--index-url", cpu_index, "--retries", "2"), "fetching torch's CPU build"
    )
    return [near, cpu, usual]
