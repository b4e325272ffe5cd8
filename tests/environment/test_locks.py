"""The lock files: what pyproject.toml asks for, hashed, from no named host, without what is left
out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stylus_ext.environment.layout import ROOT, default_locks, read_lock
from tools.lock_maker import (
    GROUPS,
    SEEN_RUNNING,
    TARGETS,
    TORCH_NEEDS,
    Group,
    Pinned,
    merged,
    requirements,
)

GT_WHEEL = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
PINNED = re.compile(r"^([a-z0-9.\-]+)==([^\s;]+)(?: ; (.*?))? \\$")
ENGINE_LOCKS = [default_locks() / f"{target.name}.txt" for target in TARGETS]
EVERY_LOCK = [*ENGINE_LOCKS, *(default_locks() / f"{group.name}.txt" for group in GROUPS)]
SYSTEMS = {"linux": "linux", "windows": "win32", "macos": "darwin"}


def pins(path: Path, python: str) -> dict[str, str]:
    """What pip would put in for one Python."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = PINNED.match(line)
        if match is None:
            continue
        name, version, marker = match.groups()
        if marker is None or f"'{python}'" in marker:
            assert name not in found, f"{path.name} has {name} twice for {python}"
            found[name] = version
    return found


def satisfied(wanted: str, chosen: dict[str, str], python: str, system: str) -> bool:
    requirement = Requirement(wanted)
    variables = {"python_version": python, "sys_platform": system, "extra": ""}
    if requirement.marker is not None and not requirement.marker.evaluate(variables):
        return True
    version = chosen.get(requirement.name.lower().replace("_", "-"))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


@pytest.mark.parametrize("path", ENGINE_LOCKS, ids=lambda path: path.stem)
def test_every_lock_is_what_pyproject_asks_for(path: Path) -> None:
    engine, _ = requirements(ROOT / "pyproject.toml")
    system = SYSTEMS[path.stem.split("-")[0]]
    lock = read_lock(path)
    assert lock.pythons
    assert lock.disk_mb > 100
    for python in lock.pythons:
        chosen = pins(path, python)
        unmet = [
            one
            for one in (*engine, *TORCH_NEEDS, *SEEN_RUNNING)
            if not satisfied(one, chosen, python, system)
        ]
        assert unmet == [], python
        assert "torch" not in chosen, "it comes apart"
        assert "kubernetes" not in chosen, "127 MB that nothing uses"
        assert len(chosen) > 80


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_groups_lock_is_what_pyproject_asks_for(group: Group) -> None:
    _, groups = requirements(ROOT / "pyproject.toml")
    lock = read_lock(default_locks() / f"{group.name}.txt")
    assert lock.pythons == group.pythons
    for python in group.pythons:
        chosen = pins(lock.path, python)
        assert [
            one for one in groups[group.name] if not satisfied(one, chosen, python, "linux")
        ] == []


@pytest.mark.parametrize("path", EVERY_LOCK, ids=lambda path: path.stem)
def test_every_pin_has_its_hashes_and_no_host_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "lock_maker" in text
    assert "://" not in text
    assert not re.search(r"\b(?:pypi|pythonhosted|\w+\.(?:org|com|io))\b", text)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if "==" in line:
            assert PINNED.match(line), line
            assert re.match(r"    --hash=sha256:[0-9a-f]{64}", following), line
        else:
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


@pytest.mark.parametrize("path", ENGINE_LOCKS, ids=lambda path: path.stem)
def test_the_offline_model_is_the_genuine_wheel(path: Path) -> None:
    assert GT_WHEEL in path.read_text(encoding="utf-8")


def test_what_differs_between_pythons_gets_a_marker() -> None:
    one, two = Pinned("a", "1", frozenset({"11", "00"})), Pinned("a", "2", frozenset({"22"}))
    every = Pinned("b", "1", frozenset({"33"}))
    lines = merged({"3.10": [one, every], "3.9": [one, every], "3.11": [two, every]})
    assert lines == [
        "a==1 ; python_version == '3.9' or python_version == '3.10' \\",
        "    --hash=sha256:00 \\",
        "    --hash=sha256:11",
        "a==2 ; python_version == '3.11' \\",
        "    --hash=sha256:22",
        "b==1 \\",
        "    --hash=sha256:33",
    ]
