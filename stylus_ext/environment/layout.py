"""Where everything of the private environment lies: from a root, a lock and an interpreter to
folders and names.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment import machine
from stylus_ext.environment.machine import Torch

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = "stylus-manifest.json"
BUILD_LOCK = "build"


@dataclass(frozen=True, slots=True)
class LockFile:
    """One lock file as read: its text, the Pythons it is for, and what it announces."""

    path: Path
    text: str
    pythons: tuple[str, ...]
    download_mb: int
    disk_mb: int

    @property
    def packages(self) -> dict[str, str]:
        """Every pinned line's name and version; with several versions, the last."""
        lines = [
            line.split(" ")[0].split("==")
            for line in self.text.splitlines()
            if "==" in line.split(" ")[0]
        ]
        return {name: version for name, version in lines if not name.startswith("#")}


def read_lock(path: Path) -> LockFile:
    """Reads a lock and the two comments that speak to the builder."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SetupProblem(
            f"The list of packages {path} cannot be read: {error}. Please fetch Stylus anew."
        ) from error
    said = {}
    for line in text.splitlines():
        if line.startswith("# ") and ": " in line:
            name, value = line[2:].split(": ", 1)
            said[name] = value
    numbers = [int(word) for word in said.get("megabytes", "").split() if word.isdigit()] or [0, 0]
    return LockFile(path, text, tuple(said.get("pythons", "").split()), numbers[0], numbers[-1])


@dataclass(frozen=True, slots=True)
class Home:
    """The folder `.engine` of one copy of the extension."""

    folder: Path

    @property
    def current(self) -> Path:
        """Names the environment in use."""
        return self.folder / "current"

    @property
    def log(self) -> Path:
        """What pip said, of the last build."""
        return self.folder / "build.log"

    @property
    def progress(self) -> Path:
        """Where the running build is."""
        return self.folder / "progress.json"

    @property
    def holds(self) -> Path:
        """One locked file for each process that uses an environment."""
        return self.folder / "hold"


@dataclass(frozen=True, slots=True)
class EnvironmentPart:
    """One folder to be filled by pip: from a lock, or (without one) with torch."""

    folder: Path
    lock: LockFile | None

    @property
    def ready(self) -> bool:
        """A manifest is written last: what has one is whole."""
        return (self.folder / MANIFEST).is_file()


@dataclass(frozen=True, slots=True)
class Environment:
    """What a command needs, in the order of `sys.path`; `keep` and `lock_keys` say what a sweep
    must spare.
    """

    home: Home
    key: str
    parts: tuple[EnvironmentPart, ...]
    torch: Torch
    keep: frozenset[str]
    lock_keys: frozenset[str]

    @property
    def ready(self) -> bool:
        """Whether all is in place and switched to."""
        switched = current_keys(self.home).get(machine.python_version()) == self.key
        return switched and all(part.ready for part in self.parts)

    @property
    def path(self) -> list[str]:
        """The folders for the front of `sys.path`, then the extension's own."""
        return [*(str(part.folder) for part in self.parts), str(ROOT)]


def current_keys(home: Home) -> dict[str, str]:
    """The environment last switched to, for each Python that shares this folder."""
    try:
        said = json.loads(home.current.read_text(encoding="utf-8"))
        return {str(python): str(key) for python, key in said.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def plan_environment(
    home: Home,
    locks: Path,
    tests: bool = False,
    torch: Torch | None = None,
    platform: str | None = None,
) -> Environment:
    """What this interpreter needs here; refuses an unsupported Python or platform."""
    machine.check_python()
    name = platform or machine.platform_name()
    lock = read_lock(locks / "engine.txt")
    python = machine.python_version()
    supported = [one for one in lock.pythons if (name, one) not in machine.WITHOUT_TORCH]
    if supported and python not in supported:
        raise SetupProblem(
            f"On {name} Stylus needs Python {', '.join(supported)}; this is {python}."
            " Start it with a supported one."
        )
    chosen = torch or machine.choose(name, machine.engine_search_path())
    extra = read_lock(locks / "test.txt")
    key = short_key(lock.text, python, name, f"{chosen.version} {chosen.reused}")
    parts = [EnvironmentPart(home.folder / key, lock)]
    if not chosen.reused:
        parts.append(
            EnvironmentPart(home.folder / f"torch-{chosen.version}-{python.replace('.', '')}", None)
        )
    tools = EnvironmentPart(home.folder / f"t{short_key(extra.text, python, name)}", extra)
    keep = frozenset(part.folder.name for part in (*parts, tools))
    lock_keys = frozenset(short_key(one.text) for one in (lock, extra))
    return Environment(
        home, key, (tools, *parts) if tests else tuple(parts), chosen, keep, lock_keys
    )


def short_key(*words: str) -> str:
    """Eight characters: Windows counts a path's length, and the folder is deep already."""
    return hashlib.sha256("\n".join((*words, sys.implementation.cache_tag)).encode()).hexdigest()[
        :8
    ]


def default_home() -> Home:
    """The home inside this copy of the extension."""
    return Home(ROOT / ".engine")


def default_locks() -> Path:
    """The folder of the locks that came with the extension."""
    return ROOT / "stylus_ext" / "environment" / "locks"
