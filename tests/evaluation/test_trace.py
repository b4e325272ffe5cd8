"""The trace lists the files of Stylus whose functions are called, in every thread."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest

from stylus_ext.core.file_names import safe_file_stem
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.environment.run_in_env import main_command
from stylus_ext.evaluation import trace
from stylus_ext.evaluation.host import trace_files, trace_lines
from stylus_ext.evaluation.trace import FileTrace
from tests.fakes import Watch


def test_files_of_calls_in_this_thread_and_in_new_ones() -> None:
    before = sys.getprofile()
    files = FileTrace()
    safe_file_stem("too early", ())
    files.begin()
    files.install()
    try:
        json.dumps({})
        parse_prompt("a corgi")
        thread = threading.Thread(target=safe_file_stem, args=("A name", ()))
        thread.start()
        thread.join()
    finally:
        files.remove()
        sys.setprofile(before)
    found = files.end()
    assert {"core/file_names.py", "core/prompt/parse.py"} <= set(found)
    assert all(name.startswith("core/") for name in found)
    files.begin()
    assert files.end() == []


def test_an_engine_that_does_not_look_is_waited_for_with_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_TIMEOUT_S", 0.1)
    with pytest.raises(TimeoutError):
        trace.ask(tmp_path, trace.BEGIN)


def test_both_sides_are_printed_with_their_budgets() -> None:
    lines = list(trace_lines({"engine": ["core/plan.py"], "host": []}))
    assert [line.split()[0] for line in lines] == ["engine", "core/plan.py", "host"]
    assert lines[0].endswith("1  <= 40")


@pytest.mark.long
def test_one_generation_is_traced_in_both_processes(tmp_path: Path) -> None:
    found = trace_files(tmp_path, main_command, Watch())
    assert "engine/operations/plan.py" in found["engine"]
    assert "selection/batches.py" in found["engine"]
    assert "host/generation.py" in found["host"]
    assert not any(name.startswith(("selection/", "catalogue/")) for name in found["host"])
