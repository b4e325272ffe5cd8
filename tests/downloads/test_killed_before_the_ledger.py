"""A kill after a file has its name and before the ledger has its line: it counts as ours."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stylus_ext.downloads import Ledger
from tests.downloads.test_discard import aged, message
from tests.downloads.workbench import Bench
from tests.engine_process import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

KILLED = """
import os, signal, sys
from stylus_ext.downloads import Ledger
Ledger.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from tests.downloads.one_process import main
main(*sys.argv[1:])
"""


def killed(bench: Bench, version: int) -> Path:
    where = (bench.civitai.api, str(bench.root), str(bench.data), str(version))
    ended = subprocess.run([sys.executable, "-c", KILLED, *where], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    (placed,) = bench.loras()
    return bench.root / placed


def test_the_quota_and_discard_know_it(bench: Bench) -> None:
    body = bench.publish()
    path = killed(bench, 11)
    ledger = Ledger(bench.data)
    assert [(file.path, file.key, file.size) for file in ledger.own()] == [
        (str(path), "civitai:11", len(body))
    ]
    assert ledger.total() == len(body)
    path.rename(bench.root / "renamed.safetensors")
    assert Ledger(bench.data).own() == [], "what the user has renamed is the user's"
    (bench.root / "renamed.safetensors").rename(path)
    assert message(aged(bench, 31)) == {"civitai:11": ""}
    assert bench.loras() == {}
    bench.check(body, killed=True)


def test_a_copy_of_the_users_is_not_taken_for_it(bench: Bench) -> None:
    body = bench.publish()
    path = killed(bench, 11)
    copy = bench.root / "copy.safetensors"
    copy.write_bytes(body)
    path.unlink()
    assert Ledger(bench.data).own() == []


def test_the_next_download_sweeps_empty_parts_and_locks(bench: Bench) -> None:
    bench.publish()
    for left in (".stylus-abc-1234567890ab.part", ".stylus-abc.lock", ".stylus-names.lock"):
        (bench.root / left).write_bytes(b"")
    kept = bench.root / ".stylus-def-1234567890ab.part"
    kept.write_bytes(b"begun")
    bench.fetch()
    assert [path.name for path in bench.root.glob(".stylus-*")] == [kept.name]
