"""Tiny real wheels, the locks that name them, and a copy of the extension that is built from
them.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import venv
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.environment import machine
from stylus_ext.environment.build import BuildOptions
from stylus_ext.environment.layout import ROOT, Environment, Home, plan_environment
from stylus_ext.environment.machine import Torch

REUSED = Torch("2.9.0", reused=True)
OWN = Torch("2.13.0", reused=False)
TORCH_MODULE = (
    "class _Sum:\n    def sum(self):\n        return 0\n\ndef zeros(n):\n    return _Sum()\n"
)


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, str]) -> str:
    """Writes a wheel that pip installs, and returns its sha256."""
    info = f"{name}-{version}.dist-info"
    content = dict(files) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text.encode())}\n"
        for path, text in content.items()
    )
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for inner, text in content.items():
            file.writestr(inner, text)
        file.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lock_text(
    pins: Mapping[str, str], megabytes: str = "1 to download, 1 unpacked", pythons: str = ""
) -> str:
    """A lock of `name==version` to sha256."""
    listed = pythons or machine.python_version()
    lines = [f"# pythons: {listed}", f"# megabytes: {megabytes}", ""]
    lines += [f"{pin} \\\n    --hash=sha256:{digest}" for pin, digest in pins.items()]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class BuildFolder:
    """A folder of wheels, a folder of locks, and the home that is built from them."""

    folder: Path

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    @property
    def locks(self) -> Path:
        return self.folder / "locks"

    @property
    def home(self) -> Home:
        return Home(self.folder / ".engine")

    @property
    def offline(self) -> tuple[str, ...]:
        """pip's arguments for these wheels and nothing else."""
        return ("--no-index", "--find-links", str(self.wheels))

    def engine_lock(
        self, version: str = "1.0", digest: str | None = None, megabytes: str = "1 and 1"
    ) -> Path:
        """Makes the engine's one tiny package and the lock that names it."""
        made = make_wheel(
            self.wheels, "stylus_tiny", version, {"stylus_tiny.py": f"VERSION = '{version}'\n"}
        )
        path = self.locks / "engine.txt"
        path.write_text(
            lock_text({f"stylus-tiny=={version}": digest or made}, megabytes), encoding="utf-8"
        )
        return path

    def test_lock(self, version: str = "1.0") -> Path:
        """The same for the test tools; one package stands for all of them, so that `test` and
        `lint` have something to run.
        """
        code = (
            "import json, os, sys\nprint(json.dumps([sys.argv[1:], sys.path[:3],"
            " dict(os.environ)]))\n"
        )
        files = {
            f"{tool}/{name}.py": text
            for tool in ("pytest", "ruff", "mypy")
            for name, text in (("__init__", ""), ("__main__", code))
        }
        digest = make_wheel(self.wheels, "pytest", version, files)
        path = self.locks / "test.txt"
        path.write_text(lock_text({f"pytest=={version}": digest}), encoding="utf-8")
        return path

    def group_lock(self, group: str, version: str = "1.0") -> Path:
        """The same for an optional group of packages."""
        name = f"stylus_{group}"
        code = {f"{name}.py": f"VERSION = '{version}'\n"}
        digest = make_wheel(self.wheels, name, version, code)
        path = self.locks / f"{group}.txt"
        path.write_text(lock_text({f"{name}=={version}": digest}), encoding="utf-8")
        return path

    def plan(
        self, tests: bool = False, torch: Torch = REUSED, groups: Collection[str] = ()
    ) -> Environment:
        """The environment of these locks."""
        return plan_environment(self.home, self.locks, tests, torch, groups=groups)


def build_folder(folder: Path) -> BuildFolder:
    """Ready with version 1.0 of everything."""
    made = BuildFolder(folder)
    made.wheels.mkdir(parents=True)
    made.locks.mkdir()
    made.engine_lock()
    made.test_lock()
    make_wheel(
        made.wheels,
        "torch",
        OWN.version,
        {"torch/__init__.py": TORCH_MODULE, "torch/version.py": ""},
    )
    return made


def copy_of_extension(folder: Path) -> BuildFolder:
    """install.py and the environment package as a clone has them, but with tiny locks and a tiny
    command line.
    """
    made = build_folder(folder / "shop")
    root = folder / "extension"
    package = root / "stylus_ext"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "install.py", root / "install.py")
    shutil.copy(ROOT / "stylus_ext" / "__init__.py", package / "__init__.py")
    ignored = shutil.ignore_patterns("__pycache__", "locks")
    shutil.copytree(ROOT / "stylus_ext" / "environment", package / "environment", ignore=ignored)
    shutil.copytree(made.locks, package / "environment" / "locks")
    (package / "core").mkdir()
    for name in ("__init__.py", "errors.py", "files.py"):
        shutil.copy(ROOT / "stylus_ext" / "core" / name, package / "core" / name)
    (root / "tests").mkdir()
    (package / "cli").mkdir()
    (package / "cli" / "__init__.py").write_text("", encoding="utf-8")
    (package / "cli" / "main.py").write_text(TINY_CLI, encoding="utf-8")
    return made


TINY_CLI = '''"""A command line that says where it runs."""
import json
import sys
import time


def main(argv):
    import stylus_tiny

    if argv[0] == "serve":
        print("serving", flush=True)
        time.sleep(60)
    print(json.dumps({"argv": argv, "tiny": stylus_tiny.VERSION, "path": sys.path}))
    return 7 if argv[0] == "show" else 0
'''


def clean_variables(made: BuildFolder) -> dict[str, str]:
    """Variables under which every pip sees these wheels and nothing else."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "STYLUS_"))
    }
    return kept | {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(made.wheels),
        "PIP_CONFIG_FILE": os.devnull,
    }


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def options(shop: BuildFolder, **more: object) -> BuildOptions:
    return BuildOptions(pip_extra=shop.offline, **more)  # type: ignore[arg-type]


def bare_python(folder: Path) -> str:
    """A venv without pip: an interpreter with site-packages of its own."""
    venv.EnvBuilder(with_pip=False).create(folder)
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def is_ready(environment: Environment) -> bool:
    """Asked anew each time: mypy takes a property for a constant."""
    return environment.ready
