"""What the WebUI imports is compiled before it starts, once, and nowhere where nothing may be
written.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stylus_ext.environment.hook import compile_extension
from stylus_ext.environment.layout import ROOT


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    for folder in (
        "stylus_ext/core",
        "stylus_ext/environment",
        "stylus_ext/host",
        "stylus_ext/downloads",
        "scripts",
    ):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "stylus_ext" / "__init__.py", tmp_path / "stylus_ext" / "__init__.py")
    return tmp_path


def made(root: Path) -> dict[Path, int]:
    return {path.relative_to(root): path.stat().st_mtime_ns for path in root.rglob("*.pyc")}


def test_all_that_the_webui_imports_and_nothing_else(copy: Path) -> None:
    assert compile_extension(copy)
    sources = [path for path in copy.rglob("*.py") if "downloads" not in path.parts]
    assert {copy / path for path in made(copy)} == {
        Path(importlib.util.cache_from_source(str(path))) for path in sources
    }


def test_what_is_up_to_date_stays_and_an_update_is_compiled(copy: Path) -> None:
    compile_extension(copy)
    first = made(copy)
    changed = copy / "stylus_ext" / "host" / "script.py"
    changed.write_text(changed.read_text("utf-8") + "\nNEW = 1\n", "utf-8")
    os.utime(changed, (1_900_000_000, 1_900_000_000))
    compile_extension(copy)
    second = made(copy)
    assert {path.name.partition(".")[0] for path in first if first[path] != second[path]} == {
        "script"
    }


def test_python_takes_it_and_compiles_nothing_at_the_first_import(copy: Path) -> None:
    compile_extension(copy)
    before = made(copy)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import stylus_ext.core.settings as found;"
        " print(found.__cached__)"
    )
    done = subprocess.run(
        [sys.executable, "-v", "-c", code, str(copy)],
        capture_output=True,
        text=True,
        check=True,
        env=without_prefix(),
    )
    assert f"matches {copy / 'stylus_ext' / 'core' / 'settings.py'}" in done.stderr
    assert made(copy) == before


def without_prefix() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")
    }


def test_nobody_who_wants_no_byte_code_gets_some(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert not compile_extension(copy)
    assert not made(copy)


def test_a_place_that_cannot_be_written_costs_nothing_but_speed(copy: Path) -> None:
    """A plain file where the folder of compiled modules belongs: even root cannot write into
    that.
    """
    (copy / "stylus_ext" / "host" / "__pycache__").write_text("")
    assert not compile_extension(copy)
    assert any(path.parts[1] == "core" for path in made(copy))


def test_a_file_that_does_not_compile_stops_nothing(
    copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (copy / "stylus_ext" / "host" / "broken.py").write_text("def (:\n")
    assert not compile_extension(copy)
    assert len(made(copy)) > 50
    assert capfd.readouterr() == ("", "")
