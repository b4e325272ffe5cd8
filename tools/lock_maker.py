"""Writes the lock files from pyproject.toml with uv.

Run from the repository root with uv on the path:
`python -m tools.lock_maker [--upgrade] [GROUP ...]`. Without groups it writes all locks.
Versions that are locked already are kept unless --upgrade is given.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from stylus_ext.environment.layout import read_lock
from stylus_ext.environment.machine import CPU_VERSION, CPU_VERSIONS

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "stylus_ext" / "environment" / "locks"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# The platforms of stylus_ext/environment/machine.py, as uv names them.
PLATFORMS = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "windows-amd64": "x86_64-pc-windows-msvc",
    "macos-arm64": "aarch64-apple-darwin",
    "macos-x86_64": "x86_64-apple-darwin",
}
HEADER = """\
# {title}: every package by version and hash, for every supported platform.
# Written by `python -m tools.lock_maker` (uv pip compile) from pyproject.toml; do not edit.
# pythons: {pythons}
# megabytes: {download_mb} to download, {disk_mb} unpacked

"""


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock file: its dependency group, the Pythons it is for, and the sizes it announces.

    With `adds_to_engine` it lists only packages that the engine's lock lacks, resolved with the
    versions of that lock.
    """

    group: str
    title: str
    pythons: tuple[str, ...]
    download_mb: int
    disk_mb: int
    adds_to_engine: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return LOCKS / f"{self.group}.txt"


# The hosts' gradio needs a numpy, a markupsafe or an audio module without wheels for Python 3.13;
# Forge Neo's numpy is not for Python 3.10.
ENGINE = Lock("engine", "the engine's environment", PYTHONS, 190, 640)
GROUPS = (
    Lock("test", "test tools", PYTHONS, 90, 260),
    Lock("evaluation", "training and measuring pictures", PYTHONS, 60, 190, adds_to_engine=True),
    Lock("mcp", "a server of the Model Context Protocol", PYTHONS, 7, 30, adds_to_engine=True),
    Lock("gradio-3", "gradio of A1111 and reForge, for the browser tests", PYTHONS[:3], 90, 330),
    Lock("gradio-4", "gradio of Forge, for the browser tests", PYTHONS[:3], 90, 330),
    Lock("gradio-neo", "gradio of Forge Neo, for the browser tests", PYTHONS[1:3], 90, 330),
)


def uv_compile(*arguments: str) -> None:
    """Runs `uv pip compile` with wheels only, which keeps installing from running any code."""
    command = ["uv", "pip", "compile", "--only-binary", ":all:", "--no-header", "--quiet"]
    subprocess.run([*command, *arguments], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def make(lock: Lock, upgrade: bool) -> None:
    """Writes one lock and checks that every platform has a wheel of every package."""
    source = ["pyproject.toml"] if lock is ENGINE else []
    # uv keeps the hashes of a locked version as they stand, so only the versions are given to it.
    if lock.path.exists():
        kept = re.sub(r" \\$|^    --hash.*\n", "", lock.path.read_text("utf-8"), flags=re.MULTILINE)
        lock.path.write_text(kept, encoding="utf-8")
    uv_compile(
        *source,
        *("--group", lock.group, "--universal", "--python-version", lock.pythons[0]),
        *("--generate-hashes", "--no-annotate", "-o", str(lock.path)),
        *(["--upgrade"] if upgrade else []),
        *(_without_the_engines() if lock.adds_to_engine else []),
    )
    pins = lock.path.read_text("utf-8")
    header = HEADER.format(
        title=lock.title,
        pythons=" ".join(lock.pythons),
        download_mb=lock.download_mb,
        disk_mb=lock.disk_mb,
    )
    lock.path.write_text(header + pins, encoding="utf-8", newline="\n")
    for name, platform in PLATFORMS.items():
        for python in lock.pythons:
            sys.stdout.write(f"{lock.path.name}: {name}, Python {python}\n")
            where = ("--python-platform", platform, "--python-version", python)
            uv_compile(str(lock.path), "--no-deps", *where)


def _without_the_engines() -> list[str]:
    """uv's options that keep to the engine's versions and leave its packages out."""
    names = sorted(read_lock(ENGINE.path).packages)
    left_out = [word for name in names for word in ("--no-emit-package", name)]
    return ["--constraint", str(ENGINE.path), *left_out]


TORCH = LOCKS / "torch.txt"
TORCH_HEADER = """\
# torch as Windows and macOS get it, by hash; the CPU builds for Linux come from PyTorch's index.
# Written by `python -m tools.lock_maker` (uv pip compile) from machine.py; do not edit.

"""


def make_torch() -> None:
    """Writes the hashes of torch: an older version for Intel Macs, one for all others."""
    intel_mac = "sys_platform == 'darwin' and platform_machine == 'x86_64'"
    others = "sys_platform != 'darwin' or platform_machine != 'x86_64'"
    with TemporaryDirectory() as folder:
        wanted = Path(folder) / "torch.in"
        wanted.write_text(
            f"torch=={CPU_VERSIONS['macos-x86_64']} ; {intel_mac}\n"
            f"torch=={CPU_VERSION} ; {others}\n"
        )
        made = Path(folder) / "torch.txt"
        uv_compile(
            *(str(wanted), "--universal", "--no-deps", "--python-version", PYTHONS[0]),
            *("--no-config", "--generate-hashes", "--no-annotate", "-o", str(made)),
        )
        pins = made.read_text("utf-8")
    TORCH.write_text(TORCH_HEADER + pins, encoding="utf-8", newline="\n")


def main(words: list[str]) -> int:
    """Writes every lock, or those of the named groups."""
    named = {word for word in words if not word.startswith("-")}
    for lock in (ENGINE, *GROUPS):
        if not named or lock.group in named:
            make(lock, "--upgrade" in words)
    if not named:
        make_torch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
