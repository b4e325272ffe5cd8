"""The environment is built by the real pip, beside the old one, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.build import build
from stylus_ext.environment.files import folder_users, hold_folder
from stylus_ext.environment.layout import MANIFEST, ROOT, current_keys
from stylus_ext.environment.machine import interpreter_name, python_version
from stylus_ext.environment.progress import BuildProgress, read_progress
from tests.environment.wheels import OWN, BuildFolder, bare_python, is_ready, make_wheel, options


def test_an_environment_is_filled_and_switched_to(shop: BuildFolder) -> None:
    environment = shop.plan()
    assert not is_ready(environment)
    seen: list[BuildProgress] = []
    build(environment, options(shop, show=seen.append))
    assert is_ready(environment)
    folder = environment.parts[0].folder
    assert (folder / "stylus_tiny.py").is_file()
    assert len(folder.name) == 8
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["packages"] == {"stylus_tiny": "1.0"}
    assert current_keys(shop.home) == {interpreter_name(): environment.key}
    assert [one.step for one in seen][-1] == "compiling"
    assert all(one.total_mb == 2 for one in seen)
    assert list(folder.glob("__pycache__/stylus_tiny*.pyc")), (
        "the engine writes no byte code itself"
    )
    finished = read_progress(shop.home.progress)
    assert finished is not None
    assert finished.finished
    assert finished.error is None


def test_the_megabytes_of_all_parts_never_go_back(shop: BuildFolder) -> None:
    """torch comes after the packages, and pip's folders shrink when it is done with what it
    fetched.
    """
    shop.engine_lock(megabytes="30 to download, 100 unpacked")
    seen: list[BuildProgress] = []
    build(shop.plan(torch=OWN), options(shop, show=seen.append))
    done = [one.done_mb for one in seen]
    assert done == sorted(done)
    assert {one.total_mb for one in seen} == {30 + 118 + sum((195, 755))}
    assert [one.step for one in seen].count("compiling") >= 2
    second = next(one for one in seen if "torch" in one.step.lower() or "PyTorch" in one.step)
    assert second.done_mb >= 30


def test_torch_comes_in_a_folder_of_its_own_and_is_not_fetched_again(shop: BuildFolder) -> None:
    build(shop.plan(torch=OWN), options(shop))
    first = shop.plan(torch=OWN)
    torch = first.parts[1].folder
    assert torch.name == f"torch-2.13.0-{python_version().replace('.', '')}"
    made = torch.stat().st_mtime_ns
    shop.engine_lock("2.0")
    second = shop.plan(torch=OWN)
    assert second.key != first.key
    build(second, options(shop))
    assert second.ready
    assert torch.stat().st_mtime_ns == made
    assert not first.parts[0].folder.exists(), "the replaced one goes"


def test_a_torch_that_does_not_run_is_not_kept(shop: BuildFolder) -> None:
    make_wheel(
        shop.wheels, "torch", "2.13.0", {"torch/__init__.py": "raise ImportError('libcudart')\n"}
    )
    environment = shop.plan(torch=OWN)
    with pytest.raises(SetupProblem):
        build(environment, options(shop))
    assert not environment.parts[1].ready
    assert "libcudart" in shop.home.log.read_text()


def test_what_a_process_holds_stays_until_it_lets_go(shop: BuildFolder) -> None:
    old = shop.plan()
    build(old, options(shop))
    folder = old.parts[0].folder
    code = (
        "import sys, time; from pathlib import Path; from stylus_ext.environment.files import"
        f" hold_folder\nheld = hold_folder(Path({str(folder)!r}), 'the engine'); print('held',"
        " flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "held\n"
        assert [f"(process {engine.pid}" in one for one in folder_users(folder)] == [True]
        shop.engine_lock("2.0")
        build(shop.plan(), options(shop))
        assert (folder / "stylus_tiny.py").is_file()
        engine.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        engine.wait()
    assert folder_users(folder) == []
    shop.engine_lock("3.0")
    build(shop.plan(), options(shop))
    assert not folder.exists()


def test_a_hold_on_a_replaced_folder_is_refused(shop: BuildFolder) -> None:
    with pytest.raises(SetupProblem):
        hold_folder(shop.home.folder / "gone", "the engine")


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from stylus_ext.environment.build import BuildOptions, build
from tests.environment.wheels import BuildFolder

def show(progress):
    if {when}:
        os.kill(os.getpid(), signal.SIGKILL)

seen = []
shop = BuildFolder(Path({folder!r}))
build(shop.plan(), BuildOptions(show=show, pip_extra=shop.offline))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(
    "when", ["seen.append(progress) or len(seen) == 2", "progress.step == 'compiling'"]
)
def test_a_killed_build_starts_over(shop: BuildFolder, when: str) -> None:
    code = KILLED.format(root=str(ROOT), folder=str(shop.folder), when=when)
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    environment = shop.plan()
    assert not is_ready(environment)
    assert not environment.parts[0].folder.exists()
    left = read_progress(shop.home.progress)
    assert left is not None
    assert not left.finished
    build(environment, options(shop))
    assert is_ready(environment)
    names = {path.name for path in shop.home.folder.iterdir() if path.is_dir()}
    assert names <= {environment.key, "hold"}, "nothing is left over"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_pip_ends_with_the_killed_builder(shop: BuildFolder) -> None:
    code = KILLED.format(
        root=str(ROOT), folder=str(shop.folder), when="seen.append(progress) or len(seen) == 2"
    )
    subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    until = time.monotonic() + 10
    while _processes_of(shop.folder) and time.monotonic() < until:
        time.sleep(0.05)
    assert _processes_of(shop.folder) == []


def _processes_of(folder: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and b"parent_watch" in words:
            found.append(words.decode(errors="replace"))
    return found


def test_two_builders_build_once(shop: BuildFolder) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.environment.wheels import BuildFolder\n"
        "from stylus_ext.environment.build import BuildOptions, build\nshop ="
        f" BuildFolder(Path({str(shop.folder)!r})); seen = []\nbuild(shop.plan(),"
        " BuildOptions(show=seen.append, pip_extra=shop.offline)); print(len(seen) > 0)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in "12"
    ]
    message = sorted(one.communicate(timeout=60)[0].strip() for one in both)
    assert [one.returncode for one in both] == [0, 0]
    assert message == ["False", "True"]
    assert shop.plan().ready


def python_with_pip(folder: Path) -> str:
    python = bare_python(folder)
    where = [sys.executable, "-c", "import pip; print(pip.__file__)"]
    pip = Path(
        subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip()
    ).parent
    shutil.copytree(pip, next(folder.rglob("site-packages")) / "pip")
    return python


def test_the_calling_interpreter_is_left_byte_for_byte(shop: BuildFolder, tmp_path: Path) -> None:
    python = python_with_pip(tmp_path / "venv")
    before = _bytes_of(tmp_path / "venv")
    own_before = _listing(Path(sysconfig.get_paths()["purelib"]))
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
        "from stylus_ext.environment.build import BuildOptions, build\n"
        "from tests.environment.wheels import OWN, BuildFolder\n"
        f"shop = BuildFolder(Path({str(shop.folder)!r}))\n"
        "build(shop.plan(tests=True, torch=OWN), BuildOptions(pip_extra=shop.offline))\n"
    )
    code += "assert shop.plan(tests=True, torch=OWN).ready\n"
    subprocess.run([python, "-c", code], check=True)
    assert len(before) > 100
    assert _bytes_of(tmp_path / "venv") == before
    build(shop.plan(), options(shop))
    assert _listing(Path(sysconfig.get_paths()["purelib"])) == own_before


def _bytes_of(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _listing(folder: Path) -> set[tuple[str, int, int]]:
    found = set()
    for base, _, names in os.walk(folder):
        for name in names:
            message = os.stat(os.path.join(base, name), follow_symlinks=False)  # noqa: PTH116, PTH118
            found.add((f"{base}/{name}", message.st_size, message.st_mtime_ns))
    return found


def test_another_python_keeps_its_environment_of_the_same_lock(shop: BuildFolder) -> None:
    environment = shop.plan()
    build(environment, options(shop))
    other = shop.home.folder / "otherpyt"
    other.mkdir()
    manifest = json.loads((environment.parts[0].folder / MANIFEST).read_text()) | {"python": "3.9"}
    (other / MANIFEST).write_text(json.dumps(manifest))
    shop.test_lock("2.0")
    build(shop.plan(tests=True), options(shop))
    assert other.exists(), "made from the same list"
    shop.engine_lock("2.0")
    build(shop.plan(), options(shop))
    assert not other.exists()


BUILT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from stylus_ext.environment.build import BuildOptions, build
from tests.environment.wheels import OWN, REUSED, BuildFolder
shop = BuildFolder(Path({folder!r}))
environment = shop.plan(torch={torch})
if {builds}:
    build(environment, BuildOptions(pip_extra=shop.offline))
print(environment.ready)
"""


def test_two_interpreters_of_one_version_keep_an_environment_each(
    shop: BuildFolder, tmp_path: Path
) -> None:
    """The WebUI's venv has a torch; the system's Python has none."""
    python = python_with_pip(tmp_path / "venv")

    def of_venv(torch: str, *, builds: bool) -> str:
        code = BUILT.format(root=str(ROOT), folder=str(shop.folder), torch=torch, builds=builds)
        done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert of_venv("OWN", builds=True) == "True"
    mine = shop.plan()
    build(mine, options(shop))
    assert is_ready(mine)
    assert of_venv("OWN", builds=False) == "True", "neither replaces the other's"
    assert len(current_keys(shop.home)) == 2
    shop.engine_lock("2.0")
    build(shop.plan(), options(shop))
    assert not mine.parts[0].folder.exists(), "one's own replaced one goes"
    theirs = next(key for name, key in current_keys(shop.home).items() if "venv" in name)
    assert (shop.home.folder / theirs).is_dir()
    shutil.rmtree(tmp_path / "venv")
    shop.engine_lock("3.0")
    build(shop.plan(), options(shop))
    assert not (shop.home.folder / theirs).exists(), "its interpreter is gone"
    assert list(current_keys(shop.home)) == [interpreter_name()]
