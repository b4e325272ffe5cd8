"""pip's own words become one sentence; its settings lead no package elsewhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from stylus_ext.environment import pip
from stylus_ext.environment.pip import compile_folder, failure_message, pip_environment

SAID = [
    ("/usr/bin/python3: No module named pip", "has no pip. Please install it"),
    ("ERROR: No module named 'pip'", "has no pip"),
    (
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        "The disk is full",
    ),
    (
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by"
            " 'NewConnectionError('<x>: Failed to establish a new connection: [Errno -2] Name or"
            " service not known')': /simple/a/\nERROR: No matching distribution found for a==1"
        ),
        "index does not answer",
    ),
    (
        (
            "ERROR: Could not find a version that satisfies the requirement a==1 (from versions:"
            " none)\nERROR: No matching distribution found for a==1"
        ),
        "no file (a==1)",
    ),
    (
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"
            "    a-b==1.2 from https://x/y.whl:\n        Expected sha256 00\n"
        ),
        "package (a-b==1.2) is not the one",
    ),
    (
        "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'",
        "cannot be written",
    ),
    (
        (
            "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or"
            " directory: 'C:\\\\x'\nHINT: This error might have occurred since this system does not"
            " have Windows Long Path support enabled."
        ),
        "longer than Windows allows. Please move the WebUI",
    ),
    (
        (
            "ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied:"
            " 'C:\\\\x'"
        ),
        "cannot be written",
    ),
    ("Traceback: something new", "unknown reason. Read the.log"),
]


@pytest.mark.parametrize(("output", "sentence"), SAID)
def test_every_reason_is_a_sentence_that_names_the_log(output: str, sentence: str) -> None:
    reported = failure_message(output, "the.log")
    assert sentence in reported
    assert "the.log" in reported


def test_settings_that_lead_packages_elsewhere_are_dropped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "stated")
    message = pip_environment(tmp_path)
    assert "PYTHONPATH" not in message
    assert "PIP_TARGET" not in message
    assert "PIP_PREFIX" not in message
    assert message["PIP_USER"] == "0"
    assert message["PIP_INDEX_URL"] == "stated", "the user's own index stays"
    assert message["TMPDIR"] == str(tmp_path)
    assert message["PYTHONDONTWRITEBYTECODE"] == "1"


SHOWING = "import sys\nprint(sys.path)\n"


@pytest.mark.parametrize(
    "folder_first", [True, False], ids=["as usual", "as the embeddable Python of Windows"]
)
def test_pip_sees_the_path_without_what_is_ours(tmp_path: Path, folder_first: bool) -> None:
    """Nor without what is Python's: where no script's folder stands first, the first is the
    standard library.
    """
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").write_text("")
    (tmp_path / "pip" / "__main__.py").write_text(SHOWING)
    script = Path(pip.__file__).with_name("parent_watch.py")
    first = [str(script.parent)] if folder_first else []
    code = (
        f"import runpy, sys\nsys.path[:] = {[*first, str(tmp_path)]!r} + sys.path[1:]\n"
        f"sys.argv[:] = [{str(script)!r}]\nrunpy.run_path({str(script)!r}, run_name='__main__')"
    )
    variables = pip_environment(tmp_path)
    words = [sys.executable, "-s", "-c", code]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables
    ) as child:
        assert child.stdout is not None
        path = ast.literal_eval(child.stdout.readline())
    assert path[0] == str(tmp_path)
    assert str(script.parent) not in path
    assert str(script.parents[2]) not in path


def test_byte_code_is_made_for_what_an_engine_imports(tmp_path: Path) -> None:
    wanted = [
        "a/x.py",
        "testing/y.py",
        "transformers/models/__init__.py",
        "transformers/models/bert/m.py",
    ]
    left = [
        "a/tests/x.py",
        "b/test/y.py",
        "transformers/models/whisper/m.py",
        "transformers/models/bertish/m.py",
    ]
    for name in (*wanted, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "old.py").write_text("print 'for an older Python'\n")
    compile_folder(tmp_path, lambda *_: None)
    made = {path.parent.parent / path.name.split(".")[0] for path in tmp_path.rglob("*.pyc")}
    assert made == {(tmp_path / name).with_suffix("") for name in wanted}
