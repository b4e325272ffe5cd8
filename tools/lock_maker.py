"""Makes the lock files: pyproject.toml's requirements go in, one hashed list per platform comes
out.

Run from the repository root with Python 3.11 or later and uv on the path: python -m
stylus_ext.environment.lock_maker
"""

from __future__ import annotations

import importlib
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "stylus_ext" / "environment" / "locks"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")

# What was seen running on the hosts' own torch; pyproject.toml states only what this project asks
# for itself.
SEEN_RUNNING = (
    "sentence-transformers==5.7.0",
    "transformers==4.55.4",
    "tokenizers==0.21.4",
    "huggingface-hub==0.36.2",
    "chromadb==1.5.9",
    "onnxruntime==1.23.2",
    "openai==3.52.0",
    "httpx==0.28.1",
    "pydantic==2.14.3",
    "protobuf==7.36.2",
    "grpcio==1.85.1",
    "uvicorn==0.54.0",
    "scipy==1.15.3",
    "scikit-learn==1.7.2",
    "safetensors==0.8.0",
    "rich==15.0.0",
    "typer==0.29.1",
)
# torch is put in without its dependencies, so they are asked for here.
TORCH_NEEDS = (
    "sympy>=1.13.3",
    "mpmath",
    "networkx>=2.5.1",
    "jinja2",
    "markupsafe",
    "filelock",
    "fsspec>=0.8.5",
    "typing-extensions>=4.10.0",
    "setuptools>=77.0.3",
)
# kubernetes (127 MB) is asked for by chromadb and used by nothing here; torch comes apart from the
# lock.
LEFT_OUT = ("kubernetes ; sys_platform == 'never'", "torch ; sys_platform == 'never'")


@dataclass(frozen=True, slots=True)
class Target:
    """One lock file: its name, uv's word for the platform, the Pythons, and the sizes to
    announce.
    """

    name: str
    platform: str
    pythons: tuple[str, ...] = PYTHONS
    download_mb: int = 190
    disk_mb: int = 640


@dataclass(frozen=True, slots=True)
class Group:
    """One lock for all platforms: a dependency group of pyproject.toml, and the sizes to
    announce.
    """

    name: str
    title: str
    pythons: tuple[str, ...]
    download_mb: int
    disk_mb: int


@dataclass(frozen=True, slots=True)
class Pinned:
    """One package at one version, with the hashes of the wheels that fit."""

    name: str
    version: str
    hashes: frozenset[str]


TARGETS = (
    Target("linux-x86_64", "x86_64-manylinux_2_28"),
    Target("linux-aarch64", "aarch64-manylinux_2_28"),
    Target("windows-amd64", "x86_64-pc-windows-msvc"),
    Target("macos-arm64", "aarch64-apple-darwin"),
    Target(
        "macos-x86_64", "x86_64-apple-darwin", PYTHONS[:3]
    ),  # no torch for Python 3.13 was made there
)
# numpy 1 and the audio module that these two gradios need are not there for Python 3.13.
GROUPS = (
    Group("test", "test tools", PYTHONS, 90, 260),
    Group("gradio-3", "gradio of A1111 and reForge, for the browser's tests", PYTHONS[:3], 90, 330),
    Group("gradio-4", "gradio of Forge, for the browser's tests", PYTHONS[:3], 90, 330),
)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content; Python 3.10 has no reader of its own, pytest brings one there."""
    reader = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    content: dict[str, Any] = reader.loads(path.read_text(encoding="utf-8"))
    return content


def requirements(pyproject: Path) -> tuple[list[str], dict[str, list[str]]]:
    """The engine's requirements and those of each group (tests, and each gradio), as pyproject.toml
    lists them.
    """
    content = read_toml(pyproject)
    return list(content["project"]["dependencies"]), dict(content["dependency-groups"])


def resolve(wanted: Sequence[str], python: str, platform: str) -> list[Pinned]:
    """What uv picks for one Python on one platform: wheels only."""
    with tempfile.TemporaryDirectory() as folder:
        names = {"in.txt": wanted, "over.txt": LEFT_OUT}
        for name, lines in names.items():
            Path(folder, name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        out = Path(folder, "pylock.toml")
        command = [
            "uv",
            "pip",
            "compile",
            str(Path(folder, "in.txt")),
            "--override",
            str(Path(folder, "over.txt")),
        ]
        command += [
            "--python-version",
            python,
            "--python-platform",
            platform,
            "--only-binary",
            ":all:",
        ]
        command += ["--format", "pylock.toml", "--no-header", "--quiet", "-o", str(out)]
        subprocess.run(command, check=True, cwd=folder)
        packages = read_toml(out)["packages"]
    return [
        Pinned(
            one["name"],
            one["version"],
            frozenset(wheel["hashes"]["sha256"] for wheel in one["wheels"]),
        )
        for one in packages
    ]


def merged(by_python: Mapping[str, Iterable[Pinned]]) -> list[str]:
    """One requirement per package and version, with a marker where not every Python has it."""
    found: dict[tuple[str, str], dict[str, frozenset[str]]] = {}
    for python, pins in by_python.items():
        for pin in pins:
            found.setdefault((pin.name, pin.version), {})[python] = pin.hashes
    lines: list[str] = []
    for (name, version), hashes in sorted(found.items()):
        marker = (
            "" if len(hashes) == len(by_python) else " ; " + _marker(sorted(hashes, key=_order))
        )
        every = sorted(frozenset().union(*hashes.values()))
        lines += [f"{name}=={version}{marker} \\"]
        lines += [f"    --hash=sha256:{one}" + (" \\" if one != every[-1] else "") for one in every]
    return lines


def _order(python: str) -> int:
    return int(python.split(".")[1])


def _marker(pythons: Sequence[str]) -> str:
    return " or ".join(f"python_version == '{python}'" for python in pythons)


def header(name: str, pythons: Sequence[str], download_mb: int, disk_mb: int) -> list[str]:
    """The comment a lock starts with; two of its lines are read by the builder."""
    return [
        f"# {name}: every package by version and hash, wheels only.",
        ("# Made by `python -m tools.lock_maker` (uv pip compile for each Python, merged) from"),
        (
            "# pyproject.toml's requirements; do not edit by hand. torch is apart: see"
            " torch_choice.py."
        ),
        f"# pythons: {' '.join(pythons)}",
        f"# megabytes: {download_mb} to download, {disk_mb} unpacked",
        "",
    ]


def make(target: Target, wanted: Sequence[str]) -> Path:
    """Writes one platform's lock."""
    by_python = {python: resolve(wanted, python, target.platform) for python in target.pythons}
    lines = header(target.name, target.pythons, target.download_mb, target.disk_mb) + merged(
        by_python
    )
    path = LOCKS / f"{target.name}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    logger.info(
        "%s: %d packages",
        target.name,
        len({re.split("==", line)[0] for line in lines if "==" in line}),
    )
    return path


def make_group(group: Group, wanted: Sequence[str]) -> Path:
    """Writes a group's lock: one file for every platform, each hash of any of them."""
    every: dict[str, dict[tuple[str, str], set[str]]] = {}
    for target in TARGETS:
        for python in group.pythons:
            pins = every.setdefault(python, {})
            for pin in resolve(wanted, python, target.platform):
                pins.setdefault((pin.name, pin.version), set()).update(pin.hashes)
    by_python = {
        python: [
            Pinned(name, version, frozenset(hashes)) for (name, version), hashes in pins.items()
        ]
        for python, pins in every.items()
    }
    path = LOCKS / f"{group.name}.txt"
    lines = header(group.title, group.pythons, group.download_mb, group.disk_mb) + merged(by_python)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path


def main() -> int:
    """Makes every lock anew."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    engine, groups = requirements(ROOT / "pyproject.toml")
    LOCKS.mkdir(exist_ok=True)
    for target in TARGETS:
        make(target, [*engine, *SEEN_RUNNING, *TORCH_NEEDS])
    for group in GROUPS:
        make_group(group, groups[group.name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
