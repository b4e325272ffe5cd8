"""Paths, keys and parts of the private environment."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment import machine
from stylus_ext.environment.machine import Torch

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = "stylus-manifest.json"
BUILD_LOCK = "build"
OPTIONAL_GROUPS = {"evaluation": ("train", "evaluate", "probe"), "mcp": ("mcp",)}
"""Groups of packages that only some commands need, each with those commands.

A group has a lock file of its own. Its folder lies behind the engine's packages, whose versions it
shares, and is built when one of its commands runs for the first time.
"""


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock file: its text, supported Pythons and announced sizes."""

    path: Path
    text: str
    pythons: tuple[str, ...]
    download_mb: int
    disk_mb: int

    @property
    def packages(self) -> dict[str, str]:
        """The pinned versions by name; of several versions, the last."""
        lines = [
            line.split(" ")[0].split("==")
            for line in self.text.splitlines()
            if "==" in line.split(" ")[0]
        ]
        return {name: version for name, version in lines if not name.startswith("#")}


def read_lock(path: Path) -> LockFile:
    """Read a lock file and its header."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SetupProblem(
            f"The lock file {path} cannot be read: {error}. Install Stylus again."
        ) from error
    header = {}
    for line in text.partition("\n\n")[0].splitlines():
        if line.startswith("# ") and ": " in line:
            name, value = line[2:].split(": ", 1)
            header[name] = value
    numbers = [int(word) for word in header.get("megabytes", "").split() if word.isdigit()] or [
        0,
        0,
    ]
    return LockFile(path, text, tuple(header.get("pythons", "").split()), numbers[0], numbers[-1])


@dataclass(frozen=True, slots=True)
class Home:
    """The folder `.engine` of one copy of the extension."""

    folder: Path

    @property
    def current(self) -> Path:
        """The file that names the environment in use."""
        return self.folder / "current"

    @property
    def log(self) -> Path:
        """The pip log of the last build."""
        return self.folder / "build.log"

    @property
    def progress(self) -> Path:
        """The progress file of the running build."""
        return self.folder / "progress.json"

    @property
    def holds(self) -> Path:
        """The folder of usage locks, one for each process."""
        return self.folder / "hold"


@dataclass(frozen=True, slots=True)
class EnvironmentPart:
    """A folder that pip fills from a lock or, without one, with torch."""

    folder: Path
    lock: LockFile | None

    @property
    def ready(self) -> bool:
        """Whether it is complete: the manifest is written last."""
        return (self.folder / MANIFEST).is_file()


@dataclass(frozen=True, slots=True)
class Environment:
    """The parts in the order of `sys.path`; `keep` and `lock_keys` protect from cleanup."""

    home: Home
    key: str
    parts: tuple[EnvironmentPart, ...]
    torch: Torch
    keep: frozenset[str]
    lock_keys: frozenset[str]

    @property
    def ready(self) -> bool:
        """Whether all parts are complete and this environment is the current one."""
        keys = current_keys(self.home)
        shared = keys.get(machine.python_version())  # as named by older versions
        is_current = keys.get(machine.interpreter_name(), shared) == self.key
        return is_current and all(part.ready for part in self.parts)

    @property
    def path(self) -> list[str]:
        """The folders for the front of `sys.path`, then the extension's own."""
        return [*(str(part.folder) for part in self.parts), str(ROOT)]


def current_keys(home: Home) -> dict[str, str]:
    """Return the current environment of each interpreter that shares this folder."""
    try:
        content = json.loads(home.current.read_text(encoding="utf-8"))
        return {str(python): str(key) for python, key in content.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def plan_environment(
    home: Home,
    locks: Path,
    tests: bool = False,
    torch: Torch | None = None,
    platform: str | None = None,
    *,
    groups: Collection[str] = (),
) -> Environment:
    """Return the environment for this interpreter, with these optional groups of packages.

    An unsupported interpreter is refused. The cleanup keeps the optional groups left out.
    """
    machine.check_python()
    name = platform or machine.platform_name()
    lock = read_lock(locks / "engine.txt")
    python = machine.python_version()
    supported = [
        version for version in lock.pythons if (name, version) not in machine.WITHOUT_TORCH
    ]
    if supported and python not in supported:
        raise SetupProblem(
            f"On {name} Stylus needs Python {', '.join(supported)}; this is {python}."
            " Start it with a supported one."
        )
    chosen = torch or machine.choose_torch(name, machine.engine_search_path())
    extra = read_lock(locks / "test.txt")
    key = short_key(lock.text, python, name, f"{chosen.version} {chosen.reused}")
    parts = [EnvironmentPart(home.folder / key, lock)]
    if not chosen.reused:
        parts.append(EnvironmentPart(home.folder / torch_folder(chosen.version, python), None))
    tools = EnvironmentPart(home.folder / f"t{short_key(extra.text, python, name)}", extra)
    optional = optional_parts(home, locks, groups, name)
    every = (*parts, tools, *optional.values())
    keep = frozenset(part.folder.name for part in every)
    lock_keys = frozenset(short_key(part.lock.text) for part in every if part.lock is not None)
    wanted = tuple(part for group, part in optional.items() if group in groups)
    used = ((tools,) if tests else ()) + tuple(parts) + wanted
    return Environment(home, key, used, chosen, keep, lock_keys)


def optional_parts(
    home: Home, locks: Path, needed: Collection[str] = (), platform: str | None = None
) -> dict[str, EnvironmentPart]:
    """Return the parts of the optional groups; a group may lack its lock file unless needed."""
    unknown = sorted(set(needed) - OPTIONAL_GROUPS.keys())
    if unknown:
        known = ", ".join(OPTIONAL_GROUPS)
        raise SetupProblem(f"Unknown package group '{unknown[0]}'. The groups are: {known}.")
    where = (machine.python_version(), platform or machine.platform_name())
    found = {}
    for group in OPTIONAL_GROUPS:
        path = locks / f"{group}.txt"
        if group in needed or path.exists():
            lock = read_lock(path)
            folder = home.folder / f"{group}-{short_key(lock.text, *where)}"
            found[group] = EnvironmentPart(folder, lock)
    return found


def torch_folder(version: str, python: str) -> str:
    return f"torch-{version}-{python.replace('.', '')}"


def short_key(*words: str) -> str:
    """Return an eight-character hash, short because Windows limits path lengths."""
    return hashlib.sha256("\n".join((*words, sys.implementation.cache_tag)).encode()).hexdigest()[
        :8
    ]


def default_home() -> Home:
    """Return the home of this copy of the extension."""
    return Home(ROOT / ".engine")


def default_locks() -> Path:
    """Return the folder of the lock files."""
    return ROOT / "stylus_ext" / "environment" / "locks"
