"""The private environment as the panel shows it: a real tiny build, in a process of its own,
watched, broken off and retried.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment import hook
from stylus_ext.environment.files import hold
from stylus_ext.environment.layout import BUILD_LOCK, Environment, Home, plan_environment
from stylus_ext.environment.progress import BuildProgress, write_progress
from stylus_ext.host.engine import setup_state
from stylus_ext.host.engine.setup_state import EngineState, Setup
from stylus_ext.host.engine.supervisor import EngineProcess
from tests.engine_process import PATIENCE_S
from tests.environment.wheels import build_folder, clean_variables, copy_of_extension
from tests.host.engines import never, until


@pytest.fixture
def planned(tmp_path: Path) -> Environment:
    shop = build_folder(tmp_path / "shop")
    shop.engine_lock(megabytes="12 to download, 34 unpacked")
    return shop.plan()


@pytest.fixture
def setup(planned: Environment) -> Setup:
    return Setup(planned)


@pytest.fixture
def home(planned: Environment) -> Home:
    planned.home.folder.mkdir(exist_ok=True)
    return planned.home


def test_what_is_missing_is_said_with_its_size(setup: Setup) -> None:
    report = setup.report()
    assert report is not None
    assert report.state is EngineState.NOT_SET_UP
    assert "12 MB to download, 40 MB on disk" in report.sentence
    assert report.total_mb == 52
    assert not setup.ready


def test_somebodys_build_is_shown(
    setup: Setup, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold(home.folder, BUILD_LOCK, "building the environment"):
        report = setup.report()
        assert report is not None
        assert (report.state, report.step) == (EngineState.SETTING_UP, "beginning")
        write_progress(home.progress, BuildProgress("fetching", 5, 46, 9))
        report = setup.report()
        assert report is not None
        assert (report.state, report.step, report.done_mb, report.total_mb, report.eta_s) == (
            EngineState.SETTING_UP,
            "fetching",
            5,
            46,
            9,
        )
        with monkeypatch.context() as patch:
            patch.setattr(setup_state, "start_detached", lambda _: pytest.fail("a second build"))
            setup.begin()
    report = setup.report()
    assert report is not None
    assert report.state is EngineState.NOT_SET_UP
    assert "interrupted. Press Retry" in report.sentence


def test_a_build_that_stopped_says_why(setup: Setup, home: Home) -> None:
    write_progress(
        home.progress, BuildProgress("stopped", error="The disk is full.", finished=True)
    )
    report = setup.report()
    assert report is not None
    assert report.sentence.endswith("The disk is full.")


def test_a_python_without_packages_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise SetupProblem("Stylus needs another Python.")

    monkeypatch.setattr(setup_state, "plan_environment", refuse)
    process = EngineProcess(tmp_path / "data", setup=Setup())
    assert (process.report().state, process.report().sentence) == (
        EngineState.FAILED,
        "Stylus needs another Python.",
    )
    process.set_up()
    assert not process.wait_ready(5, never)
    process.stop()


@pytest.fixture
def builders(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The build processes that were started."""
    started = list[subprocess.Popen[bytes]]()

    def kept(environment: Environment) -> subprocess.Popen[bytes] | None:
        builder = hook.start_detached(environment)
        if builder is not None:
            started.append(builder)
        return builder

    monkeypatch.setattr(setup_state, "start_detached", kept)
    yield started
    for builder in started:
        builder.wait(PATIENCE_S)


@pytest.fixture
def extension(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builders: list[subprocess.Popen[bytes]]
) -> Setup:
    """A copy of the extension whose locks name a tiny package, and which is built by its own
    install.py.
    """
    shop = copy_of_extension(tmp_path)
    root = tmp_path / "extension"
    for name, value in clean_variables(shop).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(hook, "ROOT", root)
    return Setup(
        plan_environment(Home(root / ".engine"), root / "stylus_ext" / "environment" / "locks")
    )


def test_a_build_beside_the_webui_becomes_ready(extension: Setup) -> None:
    extension.begin()
    report = extension.report()
    assert report is not None
    assert report.state is EngineState.SETTING_UP
    until(lambda: extension.ready)
    assert extension.report() is None
    assert extension.variables()["CUDA_VISIBLE_DEVICES"] == ""
    words = extension.command(["serve"])
    assert words[0] == sys.executable
    assert words[-1] == "serve"


def test_a_build_that_was_killed_is_taken_up_again(
    extension: Setup, builders: list[subprocess.Popen[bytes]]
) -> None:
    extension.begin()
    (builder,) = builders
    os.kill(builder.pid, signal.SIGKILL)
    builder.wait()
    report = extension.report()
    assert report is not None
    assert report.state is EngineState.NOT_SET_UP
    extension.begin()
    until(lambda: extension.ready)


def test_a_folder_that_cannot_be_written_is_a_sentence(extension: Setup, tmp_path: Path) -> None:
    home = tmp_path / "extension" / ".engine"
    home.write_text("in the way", "utf-8")
    extension.begin()
    report = extension.report()
    assert report is not None
    assert report.state is EngineState.NOT_SET_UP
    assert "cannot be set up" in report.sentence


def test_the_panel_may_look_often(setup: Setup) -> None:
    """Ten looks a second are nothing: well under a millisecond each."""
    import timeit

    process = EngineProcess(Path("nowhere"), setup=setup)
    assert min(timeit.repeat(process.report, number=20, repeat=5)) / 20 < 0.002


def test_nothing_of_the_webui_is_imported() -> None:
    code = (
        "import sys; import stylus_ext.host.engine.supervisor, stylus_ext.host.engine.client,"
        " stylus_ext.host.guard, stylus_ext.host.web.api;"
        " sys.exit(str({'modules', 'gradio', 'fastapi',"
        " 'starlette', 'torch', 'numpy', 'httpx', 'uvicorn'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "\n", done.stderr
