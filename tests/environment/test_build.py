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
import venv
from pathlib import Path

import pytest

from stylus_ext.environment.build import BuildOptions, build
from stylus_ext.environment.holds import hold_folder, users
from stylus_ext.environment.layout import MANIFEST, ROOT, current_keys
from stylus_ext.environment.machine import python_version
from stylus_ext.environment.problems import SetupProblem
from stylus_ext.environment.progress import Progress, read_progress
from tests.environment.wheels import OWN, Workshop, closed_port, workshop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """pip hears nothing of this machine's own settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return workshop(tmp_path)


def options(shop: Workshop, **more: object) -> BuildOptions:
    return BuildOptions(pip_extra=shop.offline, **more)  # type: ignore[arg-type]


def test_an_environment_is_filled_and_switched_to(shop: Workshop) -> None:
    environment = shop.plan()
    assert not environment.ready
    seen: list[Progress] = []
    build(environment, options(shop, show=seen.append))
    assert environment.ready
    folder = environment.parts[0].folder
    assert (folder / "stylus_tiny.py").is_file()
    assert len(folder.name) == 8
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["packages"] == {"stylus_tiny": "1.0"}
    assert current_keys(shop.home) == {python_version(): environment.key}
    assert [one.step for one in seen][-1] == "compiling"
    assert list(folder.glob("__pycache__/stylus_tiny*.pyc")), "the engine writes no byte code itself"
    finished = read_progress(shop.home.progress)
    assert finished is not None
    assert finished.finished
    assert finished.error is None


def test_torch_comes_in_a_folder_of_its_own_and_is_not_fetched_again(shop: Workshop) -> None:
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


def test_a_torch_that_does_not_run_is_not_kept(shop: Workshop) -> None:
    from tests.environment.wheels import make_wheel

    make_wheel(shop.wheels, "torch", "2.13.0", {"torch/__init__.py": "raise ImportError('libcudart')\n"})
    environment = shop.plan(torch=OWN)
    with pytest.raises(SetupProblem, match="does not run on this machine"):
        build(environment, options(shop))
    assert not environment.parts[1].ready
    assert "libcudart" in shop.home.log.read_text()


def test_what_a_process_holds_stays_until_it_lets_go(shop: Workshop) -> None:
    old = shop.plan()
    build(old, options(shop))
    folder = old.parts[0].folder
    code = (
        "import sys, time; from pathlib import Path; from stylus_ext.environment.holds import hold_folder\n"
        f"held = hold_folder(Path({str(folder)!r}), 'the engine'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "held\n"
        assert [f"(process {engine.pid}" in one for one in users(folder)] == [True]
        shop.engine_lock("2.0")
        build(shop.plan(), options(shop))
        assert (folder / "stylus_tiny.py").is_file()
        engine.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        engine.wait()
    assert users(folder) == []
    shop.engine_lock("3.0")
    build(shop.plan(), options(shop))
    assert not folder.exists()


def test_a_hold_on_a_replaced_folder_is_refused(shop: Workshop) -> None:
    with pytest.raises(SetupProblem, match="start the command again"):
        hold_folder(shop.home.folder / "gone", "the engine")


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from stylus_ext.environment.build import BuildOptions, build
from tests.environment.wheels import Workshop

def show(progress):
    if {when}:
        os.kill(os.getpid(), signal.SIGKILL)

seen = []
shop = Workshop(Path({folder!r}))
build(shop.plan(), BuildOptions(show=show, pip_extra=shop.offline))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("when", ["seen.append(progress) or len(seen) == 2", "progress.step == 'compiling'"])
def test_a_killed_build_starts_over(shop: Workshop, when: str) -> None:
    code = KILLED.format(root=str(ROOT), folder=str(shop.folder), when=when)
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    environment = shop.plan()
    assert not environment.ready
    assert not environment.parts[0].folder.exists()
    left = read_progress(shop.home.progress)
    assert left is not None
    assert not left.finished
    build(environment, options(shop))
    assert environment.ready
    names = {path.name for path in shop.home.folder.iterdir() if path.is_dir()}
    assert names <= {environment.key, "hold"}, "nothing is left over"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_pip_ends_with_the_killed_builder(shop: Workshop) -> None:
    code = KILLED.format(root=str(ROOT), folder=str(shop.folder), when="seen.append(progress) or len(seen) == 2")
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
        if str(folder).encode() in words and b"pip_watch" in words:
            found.append(words.decode(errors="replace"))
    return found


def test_two_builders_build_once(shop: Workshop) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.environment.wheels import Workshop\n"
        "from stylus_ext.environment.build import BuildOptions, build\n"
        f"shop = Workshop(Path({str(shop.folder)!r})); seen = []\n"
        "build(shop.plan(), BuildOptions(show=seen.append, pip_extra=shop.offline)); print(len(seen) > 0)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in "12"]
    said = sorted(one.communicate(timeout=60)[0].strip() for one in both)
    assert [one.returncode for one in both] == [0, 0]
    assert said == ["False", "True"]
    assert shop.plan().ready


def test_a_wrong_hash_is_one_sentence(shop: Workshop) -> None:
    shop.engine_lock(digest="0" * 64)
    with pytest.raises(SetupProblem, match=r"stylus-tiny==1.0\) is not the one that the list names.*Details: .*build.log"):
        build(shop.plan(), options(shop))
    assert "0" * 64 in shop.home.log.read_text(), "details in the log"
    left = read_progress(shop.home.progress)
    assert left is not None
    assert left.error is not None
    assert "wrong sha256" in left.error


def test_no_network_is_one_sentence(shop: Workshop) -> None:
    index = ("--index-url", f"http://127.0.0.1:{closed_port()}/simple", "--retries", "1")
    with pytest.raises(SetupProblem, match="index does not answer. Please check the network"):
        build(shop.plan(), BuildOptions(pip_extra=index))


def test_a_full_disk_is_said_before_anything_is_fetched(shop: Workshop) -> None:
    shop.engine_lock(megabytes="190 to download, 640 unpacked")
    with pytest.raises(SetupProblem, match="needs about 1,086 MB .* only 12 MB are free"):
        build(shop.plan(), options(shop, free_bytes=lambda _: 12_000_000))
    assert not shop.home.log.exists()


def test_a_file_that_no_index_has_is_named(shop: Workshop) -> None:
    for path in shop.wheels.glob("stylus_tiny*"):
        path.unlink()
    with pytest.raises(SetupProblem, match=r"no file \(stylus-tiny==1.0\): either"):
        build(shop.plan(), options(shop))


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write everywhere")
def test_a_read_only_extension_folder_is_said(shop: Workshop) -> None:
    shop.folder.chmod(0o500)
    try:
        with pytest.raises(SetupProblem, match="cannot be made"):
            build(shop.plan(), options(shop))
    finally:
        shop.folder.chmod(0o700)


def test_a_home_that_is_a_file_is_said(shop: Workshop) -> None:
    shop.home.folder.write_text("")
    with pytest.raises(SetupProblem, match="cannot be made"):
        build(shop.plan(), options(shop))


def test_a_python_without_pip_is_told_what_to_do(shop: Workshop, tmp_path: Path) -> None:
    python = bare_python(tmp_path / "venv")
    code = (
        "import sys; sys.path.insert(0, {root!r})\nfrom pathlib import Path\n"
        "from stylus_ext.environment.build import BuildOptions, build\n"
        "from stylus_ext.environment.problems import SetupProblem\n"
        "from tests.environment.wheels import Workshop\nshop = Workshop(Path({folder!r}))\n"
        "try:\n    build(shop.plan(), BuildOptions(pip_extra=shop.offline))\n"
        "except SetupProblem as problem:\n    print(problem)\n"
    ).format(root=str(ROOT), folder=str(shop.folder))
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    assert "This Python has no pip. Please install it" in done.stdout
    assert done.stderr == ""


def bare_python(folder: Path) -> str:
    """A venv without pip: an interpreter with site-packages of its own."""
    venv.EnvBuilder(with_pip=False).create(folder)
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def test_the_calling_interpreter_is_left_byte_for_byte(shop: Workshop, tmp_path: Path) -> None:
    import pip

    python = bare_python(tmp_path / "venv")
    site = next((tmp_path / "venv").rglob("site-packages"))
    shutil.copytree(Path(pip.__file__).parent, site / "pip", ignore=shutil.ignore_patterns("__pycache__"))
    before = _bytes_of(tmp_path / "venv")
    own_before = _listing(Path(sysconfig.get_paths()["purelib"]))
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
        "from stylus_ext.environment.build import BuildOptions, build\n"
        "from tests.environment.wheels import OWN, Workshop\n"
        f"shop = Workshop(Path({str(shop.folder)!r}))\n"
        "build(shop.plan(tests=True, torch=OWN), BuildOptions(pip_extra=shop.offline))\n"
    )
    subprocess.run([python, "-c", code], check=True)
    assert shop.plan(tests=True, torch=OWN).ready
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
            said = os.stat(os.path.join(base, name), follow_symlinks=False)  # noqa: PTH116, PTH118 - 40,000 files
            found.add((f"{base}/{name}", said.st_size, said.st_mtime_ns))
    return found


def test_another_python_keeps_its_environment_of_the_same_lock(shop: Workshop) -> None:
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
