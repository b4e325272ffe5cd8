"""Progress as people see it, and a build of somebody else that is waited for."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stylus_ext.environment.build import BuildOptions
from stylus_ext.environment.files import Holder, hold
from stylus_ext.environment.launch import ProgressBar, WaitNotice, ensure
from stylus_ext.environment.layout import BUILD_LOCK, ROOT
from stylus_ext.environment.progress import BuildProgress, read_progress, write_progress
from tests.environment.wheels import build_folder


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_line_of_progress() -> None:
    assert BuildProgress("compiling").line() == "compiling"
    line = BuildProgress("fetching", 415, 830, 12).line()
    assert line == "[############            ] fetching: 415 of about 830 MB, about 12 s left"
    assert "left" not in BuildProgress("fetching", 1, 830).line()
    assert BuildProgress("fetching", 900, 830).line().startswith("[########################]")


def test_progress_survives_the_file_and_nonsense_does_not(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    assert read_progress(path) is None
    write_progress(path, BuildProgress("fetching", 1, 2, 3, "why", finished=True))
    message = read_progress(path)
    assert message is not None
    assert (message.step, message.done_mb, message.total_mb, message.eta_s, message.error) == (
        "fetching",
        1,
        2,
        3,
        "why",
    )
    assert message.finished
    assert message.pid == os.getpid()
    assert message.updated > 1e9
    for text in ("", "[]", '{"odd": 1}'):
        path.write_text(text)
        assert read_progress(path) is None


def test_a_terminal_gets_one_line_and_a_file_a_line_per_step() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        bar = ProgressBar(stream)
        for progress in (
            BuildProgress("fetching", 1, 9),
            BuildProgress("fetching", 2, 9),
            BuildProgress("compiling"),
        ):
            bar.show(progress)
        bar.close()
    assert terminal.getvalue().count("\r") == 3
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().split("\r")[-1].rstrip("\n").rstrip() == "compiling"
    assert file.getvalue().splitlines()[-1] == "compiling"
    assert file.getvalue().count("\n") == 2


def test_who_is_waited_for_is_named() -> None:
    stream = io.StringIO()
    WaitNotice(stream)(Holder(12, "building the environment", 0.0))
    WaitNotice(stream)(None)
    assert "(process 12" in stream.getvalue()
    assert "another process" in stream.getvalue()


def test_a_build_of_another_process_is_shown_and_then_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one says how far it is and ends without having built: we build."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    shop = build_folder(tmp_path)
    environment = shop.plan()
    shop.home.folder.mkdir()
    write_progress(shop.home.progress, BuildProgress("fetching of the other", 5, 10))
    stream, let_go = io.StringIO(), threading.Event()

    def other() -> None:
        with hold(shop.home.folder, BUILD_LOCK, "building the environment"):
            held.set()
            let_go.wait(30)

    held = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    held.wait(30)
    threading.Timer(0.7, let_go.set).start()
    ensure(environment, stream, BuildOptions(pip_extra=shop.offline))
    thread.join()
    assert environment.ready
    assert "5 of about 10 MB" in stream.getvalue()
    silent = io.StringIO()
    ensure(environment, silent, BuildOptions(pip_extra=("--nonsense",)))
    assert silent.getvalue() == "", "what is ready is not touched"


def test_the_package_is_free_of_everything_but_the_standard_library() -> None:
    """Imported by a bare interpreter: no third-party module is asked for."""
    code = (
        "import sys\nfrom stylus_ext.environment import commands, hook\n"
        "from tools import lock_maker\n"
        "odd = {name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "odd -= {'stylus_ext', 'tools'}\n"
        "print(sorted(one for one in odd if not one.startswith('_')))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n"
