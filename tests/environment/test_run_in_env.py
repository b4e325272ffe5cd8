"""The child sees the environment first and nothing of the user's other folders; the helper works
anywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylus_ext.environment import run_in_env
from stylus_ext.environment.build import BuildOptions, build
from stylus_ext.environment.files import folder_users
from stylus_ext.environment.layout import ROOT
from tests.environment.wheels import build_folder

PROBE = (
    "import json, os, sys\nprint(json.dumps([sys.argv, sys.path, __name__,"
    " os.environ.get('PYTHONPATH')]))\n"
)


def test_the_path_is_the_stated_folders_then_the_root_then_the_rest() -> None:
    listed = os.pathsep.join(["/env", "/torch"])
    assert run_in_env.search_path(listed, ["/lib", "/env", "/site"], "/root") == [
        "/env",
        "/torch",
        "/root",
        "/lib",
        "/site",
    ]
    assert run_in_env.search_path("", ["/lib"], "/root") == ["/root", "/lib"]
    assert run_in_env.search_path("/root", ["/lib"], "/root") == ["/root", "/lib"]
    present = ["/lib", "/lib/site-packages", "/usr/lib/dist-packages"]
    assert run_in_env.search_path("/env", present, "/root", alone=True) == ["/env", "/root", "/lib"]
    assert run_in_env.search_path("/env", present, "/root") == ["/env", "/root", *present]


def test_the_variables_lead_nothing_else_in() -> None:
    base = {"PYTHONPATH": "/webui", "PYTHONHOME": "/x", "LANG": "C"}
    message = run_in_env.variables(["/a", "/b"], base)
    assert "PYTHONPATH" not in message
    assert "PYTHONHOME" not in message
    assert message["LANG"] == "C"
    assert message[run_in_env.PATH_VARIABLE] == os.pathsep.join(["/a", "/b"])
    assert message["CUDA_VISIBLE_DEVICES"] == "", "the picture needs the GPU"
    assert message["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in run_in_env.variables([], {}, gpu=True)


def test_a_module_runs_from_here_wherever_here_is(tmp_path: Path) -> None:
    """Without an environment (a developer's venv), the command is `python -m` with the extension on
    the path.
    """
    kept = {name: value for name, value in os.environ.items() if name != run_in_env.PATH_VARIABLE}
    words = run_in_env.command("json.tool", "--help")
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=tmp_path, env=kept)
    assert "json" in done.stdout
    kept["PYTHONPATH"] = ""
    words = run_in_env.command("stylus_ext.environment.lock_maker_that_is_not_there")
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, cwd=tmp_path, env=kept
    )
    assert done.returncode == 1
    assert "lock_maker_that_is_not_there" in done.stderr


def test_the_same_environment_as_this_process(tmp_path: Path) -> None:
    """What these tests run on is what a child of theirs runs on."""
    module = tmp_path / "probe_here.py"
    module.write_text("import pytest; print(pytest.__file__)\n")
    known = os.environ | {run_in_env.PATH_VARIABLE: os.pathsep.join([*child_path(), str(tmp_path)])}
    done = subprocess.run(
        run_in_env.command("probe_here"), check=True, capture_output=True, text=True, env=known
    )
    assert Path(done.stdout.strip()) == Path(str(pytest.__file__))


def child_path() -> list[str]:
    return [one for one in os.environ.get(run_in_env.PATH_VARIABLE, "").split(os.pathsep) if one]


def test_a_child_of_a_real_environment(tmp_path: Path) -> None:
    shop = build_folder(tmp_path)
    environment = shop.plan()
    build(environment, BuildOptions(pip_extra=shop.offline))
    folder = environment.parts[0].folder
    (folder / "probe_env.py").write_text(PROBE)
    (folder / "probe_main.py").write_text(
        "import sys, stylus_tiny\nfrom pathlib import Path\nfrom stylus_ext.environment.files"
        " import folder_users\ndef main(argv):\n    print(argv, stylus_tiny.VERSION,"
        f" len(folder_users(Path({str(folder)!r}))))\n    return 9\n"
    )
    variables = run_in_env.variables(environment.path, os.environ | {"PYTHONPATH": str(tmp_path)})
    done = subprocess.run(
        run_in_env.command("probe_env", "a b", "--c"),
        check=True,
        capture_output=True,
        text=True,
        env=variables,
    )
    argv, path, name, python_path = json.loads(done.stdout)
    assert argv[1:] == ["a b", "--c"]
    assert path[:2] == [str(folder), str(ROOT)]
    assert str(tmp_path) not in path
    assert not any(one.endswith("environment") for one in path), (
        "the script's own folder is not on the path"
    )
    assert (name, python_path) == ("__main__", None)
    done = subprocess.run(
        run_in_env.main_command("probe_main", "x"),
        check=False,
        capture_output=True,
        text=True,
        env=variables,
    )
    assert done.stdout == "['x'] 1.0 1\n", "it holds the folder while it runs"
    assert done.returncode == 9
    assert folder_users(folder) == []
    assert list(shop.home.holds.iterdir()) == [], "an orderly end leaves nothing"


def test_a_replaced_environment_is_a_sentence(tmp_path: Path) -> None:
    gone = tmp_path / ".engine" / "gone"
    variables = run_in_env.variables([str(gone), str(ROOT)], os.environ)
    done = subprocess.run(
        run_in_env.command("json.tool"), check=False, capture_output=True, text=True, env=variables
    )
    assert done.returncode == 1
    assert "was replaced a moment ago. Please start the command again." in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_is_a_list_for_this_interpreter() -> None:
    assert run_in_env.command("a.b", "c")[0] == sys.executable
    assert run_in_env.command("a.b", "c")[-3:] == ["-m", "a.b", "c"]
