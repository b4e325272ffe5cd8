"""Which torch is taken: the interpreter's own when it is new enough, and never one of the user's
other folders.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stylus_ext.environment.layout import default_locks
from stylus_ext.environment.machine import (
    CPU_INDEX,
    Torch,
    choose_torch,
    engine_search_path,
    importable_torch,
    needs_cuda,
    torch_attempts,
)

HASHES = default_locks() / "torch.txt"


def site_with(folder: Path, version: str | None) -> list[str]:
    (folder / "torch").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text("raise SystemExit('imported')\n")
    if version is not None:
        (folder / "torch" / "version.py").write_text(
            f"__all__ = ['x']\n__version__ = '{version}'\ncuda = '12.1'\n"
        )
    return [str(folder)]


@pytest.mark.parametrize("version", ["2.1.0", "2.1.2+cu121", "2.3.1", "2.13.0+cpu", "3.0"])
def test_a_torch_from_2_1_on_is_reused_unimported(version: str, tmp_path: Path) -> None:
    assert choose_torch("linux-x86_64", site_with(tmp_path, version)) == Torch(version, reused=True)
    assert "torch" not in sys.modules or getattr(sys.modules["torch"], "__file__", "") != str(
        tmp_path / "torch"
    )


@pytest.mark.parametrize("version", ["2.0.1", "1.13.1+cu117", "nonsense", None])
def test_an_older_or_unreadable_one_is_left_alone(version: str | None, tmp_path: Path) -> None:
    assert choose_torch("linux-x86_64", site_with(tmp_path, version)) == Torch(
        "2.13.0", reused=False
    )


def test_no_torch_at_all(tmp_path: Path) -> None:
    assert importable_torch([str(tmp_path)]) is None
    (tmp_path / "torch").mkdir()  # a folder without code is no torch
    assert importable_torch([str(tmp_path)]) is None
    assert choose_torch("macos-x86_64", [str(tmp_path)]).version == "2.2.2"


def test_the_childs_path_has_nothing_that_it_will_not_see(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = str(tmp_path / ".engine" / "abc")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stated"))
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "stated"), own, str(tmp_path / "site")])
    assert engine_search_path() == [str(tmp_path / "site")]


def test_linux_is_never_given_the_cuda_build_of_the_usual_index() -> None:
    near, cpu, usual = torch_attempts("2.13.0", "linux", HASHES)
    assert near.arguments == ("torch==2.13.0", "--no-index")
    assert CPU_INDEX in cpu.arguments
    assert usual.cpu_only
    assert [one.arguments for one in torch_attempts("2.13.0", "win32", HASHES)] == [
        near.arguments,
        ("--require-hashes", "-r", str(HASHES)),
    ]
    assert needs_cuda(["sympy", "nvidia-cublas-cu12==12.1; platform_system == 'Linux'"])
    assert needs_cuda(["triton==3.1"])
    assert not needs_cuda(["filelock", "sympy>=1.13", "networkx"])
