"""Every platform with a lock has its name; every other Python and system gets a sentence."""

from __future__ import annotations

import importlib.machinery
import platform
import struct
import sys

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment import machine
from tools.lock_maker import PLATFORMS

KNOWN = [
    ("linux", "x86_64", "linux-x86_64"),
    ("linux", "aarch64", "linux-aarch64"),
    ("win32", "AMD64", "windows-amd64"),
    ("darwin", "arm64", "macos-arm64"),
    ("darwin", "x86_64", "macos-x86_64"),
]


@pytest.mark.parametrize(("system", "hardware", "name"), KNOWN)
def test_a_known_platform_has_its_name(system: str, hardware: str, name: str) -> None:
    assert machine.platform_name(system, hardware) == name
    assert name in PLATFORMS


@pytest.mark.parametrize(
    ("system", "hardware"), [("linux", "riscv64"), ("freebsd14", "amd64"), ("win32", "ARM64")]
)
def test_another_platform_is_told_which_there_are(system: str, hardware: str) -> None:
    with pytest.raises(SetupProblem, match="linux-aarch64, linux-x86_64"):
        machine.platform_name(system, hardware)


def test_this_python_is_fine() -> None:
    machine.check_python()
    assert machine.python_version() == ".".join(platform.python_version().split(".")[:2])


@pytest.mark.parametrize("version", [(3, 9, 18), (3, 14, 0), (4, 0, 0)])
def test_another_python_is_refused(
    version: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SetupProblem, match=r"3\.10, 3\.11, 3\.12 or 3\.13"):
        machine.check_python()


def test_other_builds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(platform, "python_implementation", lambda: "PyPy")
        with pytest.raises(SetupProblem, match="CPython"):
            machine.check_python()
    with monkeypatch.context() as patch:
        patch.setattr(struct, "calcsize", lambda _: 4)
        with pytest.raises(SetupProblem, match="64-bit"):
            machine.check_python()
    for suffix, word in (
        (".cpython-312-x86_64-linux-musl.so", "musl"),
        (".cpython-313t-x86_64.so", "free-threaded"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(importlib.machinery, "EXTENSION_SUFFIXES", [suffix])
            with pytest.raises(SetupProblem, match=word):
                machine.check_python()
