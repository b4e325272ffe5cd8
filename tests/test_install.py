"""install.py as people and the WebUI start it: real processes, real pip, in a copy with tiny
packages.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from stylus_ext.environment.commands import ENGINE_COMMANDS, OWN_COMMANDS
from stylus_ext.environment.doctor import facts, text
from stylus_ext.environment.engine_address import process_lives
from stylus_ext.environment.layout import OPTIONAL_GROUPS, ROOT, Home
from stylus_ext.environment.run_in_env import main_command
from tests.environment.wheels import BuildFolder, clean_variables, copy_of_extension

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals")


class Extension:
    """A copy of the extension, and how its commands are called."""

    def __init__(self, folder: Path) -> None:
        self.shop: BuildFolder = copy_of_extension(folder)
        self.root = folder / "extension"
        self.home = Home(self.root / ".engine")
        self.data = folder / "data"
        self.variables = clean_variables(self.shop) | {"STYLUS_DATA_DIR": str(self.data)}
        self.locks = self.root / "stylus_ext" / "environment" / "locks"

    def words(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.root / "install.py"), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*arguments),
            check=False,
            capture_output=True,
            text=True,
            env=self.variables,
            timeout=120,
        )

    def timed_hook(self) -> float:
        """As the WebUI calls it: its output is a pipe that is read to the end."""
        began = time.perf_counter()
        done = self.run()
        spent = time.perf_counter() - began
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return spent

    def wait_until_built(self) -> None:
        until = time.monotonic() + 60
        while not self.home.current.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert self.home.current.exists(), (
            self.home.log.read_text() if self.home.log.exists() else "no log"
        )


@pytest.fixture
def extension(tmp_path: Path) -> Extension:
    return Extension(tmp_path)


def test_the_hook_builds_beside_the_webui(extension: Extension) -> None:
    assert extension.timed_hook() > 0
    extension.wait_until_built()
    assert extension.run().stdout == "", "silent when all is in place"


@pytest.mark.long
def test_the_hook_returns_at_once(extension: Extension, capsys: pytest.CaptureFixture[str]) -> None:
    missing = extension.timed_hook()
    again = extension.timed_hook()
    extension.wait_until_built()
    there = min(extension.timed_hook() for _ in range(3))
    with capsys.disabled():
        sys.stdout.write(
            f"\nhook: {missing:.2f} s when missing, {again:.2f} s while it builds, {there:.2f} s in"
            " place\n"
        )
    # The budgets are 2 s and 0.3 s on a quiet machine; a bare interpreter's start here is the
    # measure of its noise.
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import subprocess, hashlib, json"], check=True)
    bare = time.perf_counter() - began
    assert missing < 2.0 + 10 * bare
    assert there < 0.3 + 5 * bare


def test_a_command_builds_and_keeps_standard_output_clean(extension: Extension) -> None:
    done = extension.run("plan", "a corgi", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["argv"] == ["plan", "a corgi", "--json"]
    assert said["tiny"] == "1.0"
    assert said["path"][0].startswith(str(extension.home.folder))
    assert "prepares its environment" in done.stderr
    assert "fetching" in done.stderr
    second = extension.run("show", "x")
    assert second.returncode == 7, "the command's own exit code"
    assert second.stderr == ""


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_lists_every_command_and_builds_nothing(extension: Extension, word: str) -> None:
    done = extension.run(word)
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in ENGINE_COMMANDS | OWN_COMMANDS)
    assert not extension.home.folder.exists()


def test_a_typing_error_is_told_what_there_is(extension: Extension) -> None:
    done = extension.run("paln", "x")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert 'no command "paln". It has: plan, index,' in done.stderr
    assert not extension.home.folder.exists()


def test_a_wrong_hash_ends_a_command_with_one_sentence(extension: Extension) -> None:
    lock = next(path for path in extension.locks.iterdir() if path.name != "test.txt")
    lock.write_text(lock.read_text().split("sha256:")[0] + "sha256:" + "0" * 64 + "\n")
    done = extension.run("plan", "x")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "wrong sha256" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    doctor = extension.run("doctor")
    assert doctor.returncode == 1
    assert "stylus-tiny==1.0" in doctor.stdout
    hook = extension.run()
    assert hook.returncode == 0, "the WebUI takes anything else for a broken extension"


def test_the_doctor_speaks_before_and_after(extension: Extension) -> None:
    before = extension.run("doctor")
    assert before.returncode == 0
    assert "not built yet" in before.stdout
    assert json.loads(extension.run("doctor", "--json").stdout)["environment"]["built"] is False
    assert not extension.home.folder.exists(), "it looks, and makes nothing"
    assert extension.run("plan", "x").returncode == 0
    after = extension.run("doctor")
    assert "in place" in after.stdout
    assert '"argv": ["doctor"]' in after.stdout, "then the engine's own doctor"
    assert after.stdout.index("Environment") < after.stdout.index('"argv"')
    assert json.loads(extension.run("doctor", "--json").stdout)["argv"] == ["doctor", "--json"]


def test_a_folder_whose_name_the_output_cannot_spell_stops_nobody(tmp_path: Path) -> None:
    """As on Windows, where what goes into a pipe or a file is in the letters of one country."""
    extension = Extension(tmp_path / "日本✿")
    extension.variables["PYTHONIOENCODING"] = "cp1252"
    before = extension.run("doctor")
    assert (before.returncode, before.stderr) == (0, "")
    assert "???" in before.stdout
    hook = extension.run()
    assert (hook.returncode, hook.stderr) == (0, "")
    assert "???" in hook.stdout
    extension.wait_until_built()
    gone = extension.run("remove")
    assert (gone.returncode, gone.stderr) == (0, "")


def test_remove_takes_the_environment_and_names_what_stays(extension: Extension) -> None:
    assert extension.run("plan", "x").returncode == 0
    extension.data.mkdir()
    (extension.data / "user.jsonl").write_bytes(b"x" * 2_000_000)
    done = extension.run("remove")
    assert done.returncode == 0, done.stderr
    assert not extension.home.folder.exists()
    assert f"Deleted: {extension.home.folder}" in done.stdout
    assert f"your data in {extension.data} (2.0 MB)" in done.stdout
    assert (extension.data / "user.jsonl").exists()
    again = extension.run("remove", "--data-dir", str(extension.data / "none"))
    assert again.returncode == 0
    assert "There was no environment" in again.stdout
    assert "Nothing else stays" in again.stdout


@pytest.mark.parametrize(
    "words", [["--help"], ["-h"], ["--data_dir", "x"], ["everything"], ["--data-dir"]]
)
def test_who_asks_what_remove_does_has_nothing_removed(
    extension: Extension, words: list[str]
) -> None:
    extension.home.folder.mkdir()
    done = extension.run("remove", *words)
    assert done.returncode == (0 if words[0] in ("-h", "--help") else 2)
    assert "usage: python install.py remove" in done.stdout + done.stderr
    assert extension.home.folder.is_dir()


def test_the_doctor_says_what_it_does_and_no_more(extension: Extension) -> None:
    done = extension.run("doctor", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: python install.py doctor" in done.stdout
    assert "private part" not in done.stdout


def test_remove_names_the_data_of_the_webui_too(extension: Extension, tmp_path: Path) -> None:
    (tmp_path / "webui" / "extensions").mkdir(parents=True)
    extension.root = extension.root.rename(tmp_path / "webui" / "extensions" / "stylus")
    theirs = tmp_path / "webui" / "stylus"
    theirs.mkdir()
    (theirs / "user.jsonl").write_bytes(b"x" * 1_000_000)
    done = extension.run("remove")
    assert done.returncode == 0, done.stderr
    assert f"your data in {theirs} (1.0 MB)" in done.stdout
    assert (theirs / "user.jsonl").exists()
    assert str(theirs) not in extension.run("remove", "--data-dir", str(extension.data)).stdout, (
        "who names one means that alone"
    )


@POSIX
def test_remove_does_not_pull_the_floor_from_under_an_engine(extension: Extension) -> None:
    with subprocess.Popen(
        extension.words("serve"),
        env=extension.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline() == "serving\n"
        done = extension.run("remove")
        assert done.returncode == 1
        assert "serve (process" in done.stderr
        serving.terminate()
        assert serving.wait(30) == 128 + signal.SIGTERM
    assert extension.run("remove").returncode == 0


@POSIX
def test_control_c_ends_both_processes_without_a_traceback(extension: Extension) -> None:
    with subprocess.Popen(
        extension.words("serve"),
        env=extension.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline() == "serving\n"
        os.killpg(serving.pid, signal.SIGINT)
        _, complaint = serving.communicate(timeout=30)
    assert serving.returncode == 130
    assert "Traceback" not in complaint


def test_the_tests_run_over_their_own_data_with_their_own_tools(extension: Extension) -> None:
    done = extension.run("test", "-x", "-k", "masks")
    assert done.returncode == 0, done.stderr
    argv, path, variables = json.loads(done.stdout)
    assert argv[:3] == ["-m", "not long", "-n"], "side by side"
    assert argv[3].isdigit()
    assert argv[4:] == ["--dist", "loadfile", "-x", "-k", "masks", "tests"]
    assert Path(path[0]).name.startswith("t")
    assert Path(path[0]).parent == extension.home.folder
    assert variables["HF_HUB_OFFLINE"] == "1"
    assert variables["STYLUS_DATA_DIR"] != str(extension.data)
    assert not Path(variables["STYLUS_DATA_DIR"]).exists(), "it goes with the run"
    assert variables["PYTHONPATH"].split(os.pathsep)[:3] == path, (
        "bare interpreters of the tests find the same"
    )
    every, _, _ = json.loads(extension.run("test", "--all").stdout)
    assert every[0] == "-n"
    assert every[2:] == ["--dist", "loadfile", "tests"]
    one, _, _ = json.loads(extension.run("test", "install.py::test_x").stdout)
    assert one == ["-m", "not long", "install.py::test_x"]


def test_an_optional_group_is_built_on_first_use_shown_kept_and_removed(
    extension: Extension,
) -> None:
    """By the commands that need it alone, and by the tests that name it."""

    def built() -> list[str]:
        return [path.name for path in extension.home.folder.glob("evaluation-*")]

    def shown() -> bool:
        report = json.loads(extension.run("test", "-x").stdout)[2]
        assert "evaluation-" not in report["PYTHONPATH"]
        environment = facts(extension.home.folder, extension.locks)
        group = next(one for one in environment["groups"] if one["name"] == "evaluation")
        assert group["commands"] == list(OPTIONAL_GROUPS["evaluation"])
        assert group["name"] in text(environment)
        return bool(group["built"])

    shutil.copy(extension.shop.group_lock("evaluation"), extension.locks)
    for words in (("plan", "x"), ("evaluate", "--help")):
        assert extension.run(*words).returncode == 0
    assert built() == []
    assert not shown()
    with_group = json.loads(extension.run("evaluate", "x").stdout)
    assert len(built()) == 1
    assert shown()
    paths = [Path(one) for one in with_group["path"]]
    engine, group = (
        paths.index(next(path.parent for path in extension.home.folder.glob(name)))
        for name in ("*/stylus_tiny.py", "*/stylus_evaluation.py")
    )
    assert engine < group
    _, _, variables = json.loads(extension.run("test", "--with", "evaluation", "-x").stdout)
    assert built()[0] in variables["PYTHONPATH"]
    unknown = extension.run("test", "--with", "evaluations")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    extension.shop.engine_lock("2.0")
    shutil.copy(extension.shop.locks / "engine.txt", extension.locks)
    assert extension.run("plan", "x").returncode == 0
    assert len(built()) == 1
    assert extension.run("remove").returncode == 0
    assert not extension.home.folder.exists()


def test_the_types_of_the_test_tools_are_found(extension: Extension) -> None:
    """mypy passes over the first folder of its path; what it needs must not be there alone, as it
    was on a bare machine.
    """
    done = extension.run("lint")
    assert done.returncode == 0, done.stderr
    (_, by_ruff, _), (argv, by_mypy, _) = map(json.loads, done.stdout.splitlines())
    assert argv == []
    assert Path(by_mypy[0]) == extension.root
    assert by_mypy[1] == by_ruff[0]
    assert Path(by_mypy[1]).parent == extension.home.folder


@POSIX
def test_the_build_outlives_the_hook(extension: Extension) -> None:
    with subprocess.Popen(
        extension.words(), env=extension.variables, stdout=subprocess.DEVNULL
    ) as hook:
        hook.wait(30)
    assert not process_lives(hook.pid)
    extension.wait_until_built()
    assert extension.run("plan", "x").stderr == ""


def test_the_commands_named_here_are_those_of_the_command_line() -> None:
    """They are named twice, so that help and a typing error build nothing."""
    done = subprocess.run(
        main_command("stylus_ext.cli.main", "--help"), check=True, capture_output=True, text=True
    )
    there = set(re.findall(r"^    (\w+)(?: |$)", done.stdout, re.MULTILINE))
    assert there == set(ENGINE_COMMANDS) | {"doctor"}


def installer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stylus_installer", ROOT / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_old_python_reads_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ast.parse((ROOT / "install.py").read_text(), feature_version=(3, 6))
    brought = [
        name.name for step in said.body if isinstance(step, ast.Import) for name in step.names
    ]
    assert brought == ["sys"], (
        "Python 2 has no more of what we use, and shall read the sentence as well"
    )
    assert not [step for step in said.body if isinstance(step, ast.ImportFrom)]
    module = installer()
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    monkeypatch.setattr(sys, "argv", ["install.py", "plan", "x"])
    assert module.main() == 1
    assert "needs Python 3.10, 3.11, 3.12 or 3.13, and this is 3.9.18" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["install.py"])
    assert module.main() == 0, "the hook's exit code"
