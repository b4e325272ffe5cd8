"""The commands of `python install.py`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment import doctor, hook, launch
from stylus_ext.environment.build import BuildOptions, build
from stylus_ext.environment.engine_link import stop
from stylus_ext.environment.files import folder_users, hold
from stylus_ext.environment.layout import (
    BUILD_LOCK,
    MANIFEST,
    OPTIONAL_GROUPS,
    ROOT,
    Environment,
    Home,
    default_home,
    default_locks,
    plan_environment,
)
from stylus_ext.environment.machine import MEGABYTE, data_folder, folder_size, webui_folder
from stylus_ext.environment.run_in_env import PATH_VARIABLE


def run_remove(words: list[str]) -> int:
    """Run `remove [--data-dir DIR]`; help and unknown words remove nothing."""
    parser = argparse.ArgumentParser(
        prog="python install.py remove",
        allow_abbrev=False,
        description=(
            "Stops the engine, deletes the private environment inside this folder, and lists what"
            " stays. Your data is kept."
        ),
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="whose engine to stop (default: STYLUS_DATA_DIR, else your user's data folder)",
    )
    named = parser.parse_args(words).data_dir
    folders = [data_folder(named)]
    home = default_home()
    of_webui = None if named else webui_folder(home.folder.parent)
    if of_webui is not None:
        folders.append(of_webui)
    for data in folders:
        if stop(data):
            sys.stdout.write("The engine was stopped.\n")
    if home.folder.is_dir():
        size = folder_size(home.folder)
        remove_home(home)
        sys.stdout.write(f"Deleted: {home.folder} ({size // MEGABYTE} MB).\n")
    else:
        sys.stdout.write(f"There was no environment in {home.folder}.\n")
    kept = [data for data in folders if data.is_dir()]
    for data in kept:
        megabytes = folder_size(data) / MEGABYTE
        sys.stdout.write(
            f"What stays: your data in {data} ({megabytes:.1f} MB). Delete it yourself if you"
            " want.\n"
        )
    if not kept:
        sys.stdout.write(
            f"Nothing else stays; there is no data folder at {' or '.join(map(str, folders))}.\n"
        )
    return 0


def remove_home(home: Home) -> None:
    """Delete the contents of `.engine`; refuse while a process uses it."""
    with hold(home.folder, BUILD_LOCK, "removing the environment"):
        busy = [
            user for path in home.folder.glob(f"*/{MANIFEST}") for user in folder_users(path.parent)
        ]
        if busy:
            raise SetupProblem(
                f"The environment is in use by {busy[0]}. Stop that process, then remove again."
            )
        try:
            for path in home.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != f"{BUILD_LOCK}.lock":
                    path.unlink()
        except OSError as error:
            raise SetupProblem(
                f"Not everything in {home.folder} could be deleted: {error}. Stop the programs"
                " that use it and try again."
            ) from error
    shutil.rmtree(home.folder, ignore_errors=True)


# The engine's commands, as stylus_ext.cli knows them; they are named here so that help and a typing
# error build nothing.
ENGINE_COMMANDS = {
    "plan": "choose LoRAs for a prompt; print tasks, picks, reasons and prompts",
    "index": (
        "read a folder of LoRAs into the catalogue (--learn DIR: learn from your own pictures)"
    ),
    "search": "search the catalogue",
    "show": "show one entry of the catalogue",
    "edit": "correct an entry; your edits are kept for ever",
    "catalogue": (
        "read Civitai's or Hugging Face's catalogue, identify files, describe cards, enter a key"
    ),
    "import": "import a published catalogue: stylusdocs DIR",
    "fetch": "fetch adapters into your LoRA folder; downloads must be on (--dry-run)",
    "discard": "delete downloads that are long unused (--dry-run)",
    "bench": "measure selection and speed",
    "train": "train a StyleInject adapter or a LoRA on your own pictures",
    "evaluate": "make pictures with and without Stylus, and compare them",
    "probe": "measure what your LoRAs do to pictures of a checkpoint, by a running WebUI",
    "serve": "run the engine alone, for one or many WebUIs",
    "mcp": "let chat programs plan prompts and search LoRAs (Model Context Protocol)",
}
TRAINING_COMMANDS = frozenset({"train"})
"""Those that use the GPU unless STYLUS_DEVICE is cpu."""

OWN_COMMANDS = {
    "doctor": (
        "show what is installed, which model and stores, what leaves the machine, and what is wrong"
    ),
    "remove": "stop the engine, delete the private environment, list what stays",
    "test": (
        "run the tests (--all: the long ones too; --with evaluation or mcp: with those packages;"
        " others go to pytest)"
    ),
    "lint": "run ruff and mypy, and prettier, eslint and tsc over javascript/",
}

_MOST_WORKERS = 4


def help_text() -> str:
    """Return the list of commands."""
    lines = ["python install.py COMMAND ...   (python install.py COMMAND --help says more)", ""]
    lines += [f"  {name:<9} {text}" for name, text in (ENGINE_COMMANDS | OWN_COMMANDS).items()]
    lines += [
        "",
        (
            "Without a command this is the WebUI's install hook: it prepares the environment beside"
            " the WebUI."
        ),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run one command; an environment problem is one line on standard error."""
    words = list(arguments)
    if not words:
        return hook.run()
    try:
        return _dispatch(words[0], words[1:])
    except SetupProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. What was begun is cleared away by the next start.\n")
        return 130


def current_environment(tests: bool = False, groups: Collection[str] = ()) -> Environment:
    """Return the environment of this extension for this interpreter."""
    return plan_environment(default_home(), default_locks(), tests, groups=groups)


def groups_of(command: str) -> list[str]:
    """Return the optional groups of packages that a command needs."""
    return [group for group, commands in OPTIONAL_GROUPS.items() if command in commands]


def _dispatch(word: str, rest: list[str]) -> int:
    if word in ("-h", "--help", "help"):
        sys.stdout.write(help_text() + "\n")
        return 0
    if word == hook.BUILD_WORD:
        if hasattr(os, "nice"):
            os.nice(10)  # the WebUI is starting beside us
        build(current_environment(), BuildOptions())
        return 0
    if word in ENGINE_COMMANDS:
        is_help = not {"-h", "--help"}.isdisjoint(rest)
        environment = current_environment(groups=() if is_help else groups_of(word))
        launch.ensure(environment, sys.stderr)
        by_diffusers = word == "evaluate" and any(each.startswith("--diffusers") for each in rest)
        uses_gpu = (word in TRAINING_COMMANDS or by_diffusers) and not is_help
        return launch.run_cli(environment, [word, *rest], gpu=uses_gpu)
    own = {"doctor": doctor.run, "remove": run_remove, "test": run_tests, "lint": run_lint}
    if word in own:
        return own[word](rest)
    known = ", ".join(ENGINE_COMMANDS | OWN_COMMANDS)
    sys.stderr.write(f'Stylus has no command "{word}". It has: {known}.\n')
    return 2


def run_tests(words: list[str]) -> int:
    """Run pytest in the test environment, with an own data folder and no model downloads."""
    parser = argparse.ArgumentParser(
        prog="python install.py test", allow_abbrev=False, add_help=False
    )
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--with", action="append", default=[], dest="groups")
    options, chosen = parser.parse_known_args(words)
    environment = current_environment(tests=True, groups=options.groups)
    launch.ensure(environment, sys.stderr)
    marks = [] if options.all else ["-m", "not long"]
    whole = not any(_is_path(word) for word in chosen)
    with tempfile.TemporaryDirectory(prefix="stylus-test-") as data:
        # Tests start bare interpreters of their own; those find the same packages by PYTHONPATH.
        path = os.pathsep.join(environment.path)
        extra = {"HF_HUB_OFFLINE": "1", "STYLUS_DATA_DIR": data, "PYTHONPATH": path}
        where = [*_parallel_options(), *chosen, "tests"] if whole else chosen
        os.chdir(ROOT)
        return launch.run_module(environment, "pytest", [*marks, *where], extra)


def _parallel_options() -> list[str]:
    """Return the options for parallel tests; the tests of a file share fixtures.

    There is one worker more than processors, since many tests wait for a process or a server.
    """
    return ["-n", str(min((os.cpu_count() or 1) + 1, _MOST_WORKERS)), "--dist", "loadfile"]


def _is_path(word: str) -> bool:
    return not word.startswith("-") and Path(ROOT, word.split("::", maxsplit=1)[0]).exists()


def run_lint(words: list[str]) -> int:
    """Run ruff, mypy and the JavaScript linters over the whole repository."""
    environment = current_environment(tests=True)
    launch.ensure(environment, sys.stderr)
    os.chdir(ROOT)
    ruff = launch.run_module(environment, "ruff", ["check", *(words or ["."])], {})
    # mypy takes the first folder of sys.path for a script's own and looks for no packages there.
    path = launch.environment_variables(environment)[PATH_VARIABLE]
    mypy = launch.run_module(
        environment, "mypy", words, {PATH_VARIABLE: os.pathsep.join((str(ROOT), path))}
    )
    return ruff or mypy or (0 if words else _lint_page())


def _lint_page() -> int:
    """Run prettier, eslint and tsc over javascript/, if Node's packages are installed."""
    npm = shutil.which("npm")
    if npm is None or not Path(ROOT, "node_modules").is_dir():
        sys.stderr.write(
            "javascript/ was not checked. Install Node 18 or later and run `npm ci`.\n"
        )
        return 0
    return subprocess.run([npm, "run", "--silent", "lint"], check=False).returncode
