"""The lock across real processes: it names its holder, and kill -9 lets go."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.files import FileLock, Holder, hold, holder_of, is_locked
from stylus_ext.environment.layout import ROOT

HOLDING = """
import sys, time
from pathlib import Path
from stylus_ext.environment.files import hold
with hold(Path(sys.argv[1]), "engine", "the engine of another window"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def other_holder(folder: Path, seconds: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOLDING, str(folder), str(seconds)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.stdout.close()
    return process


def test_one_at_a_time_and_the_holder_is_named(tmp_path: Path) -> None:
    other = other_holder(tmp_path, 60)
    try:
        heard: list[Holder | None] = []
        sentence = rf"in use by the engine of another window \(process {other.pid}, for 0 min\)"
        with (
            pytest.raises(SetupProblem, match=sentence),
            hold(tmp_path, "engine", "plan", 0.3, heard.append),
        ):
            pass
        assert [one.pid for one in heard if one is not None] == [other.pid], "told once"
        assert is_locked(tmp_path / "engine.lock")
    finally:
        other.kill()
        other.wait()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    other = other_holder(tmp_path, 60)
    other.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    other.wait()
    with hold(tmp_path, "engine", "plan") as lock:
        assert lock.held
        message = holder_of(tmp_path / "engine.lock")
        assert message is not None
        assert (message.pid, message.what) == (os.getpid(), "plan")


def test_waiting_ends_when_the_holder_ends(tmp_path: Path) -> None:
    other = other_holder(tmp_path, 0.5)
    with hold(tmp_path, "engine", "plan", wait_s=3600) as lock:
        assert lock.held
    assert other.wait() == 0


def test_a_released_lock_names_nobody(tmp_path: Path) -> None:
    with hold(tmp_path, "engine", "plan"):
        pass
    assert holder_of(tmp_path / "engine.lock") is None
    assert not is_locked(tmp_path / "engine.lock")


def test_the_same_process_is_not_let_in_twice(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "x.lock"), FileLock(tmp_path / "x.lock")
    assert first.acquire("first")
    assert not second.acquire("second")
    message = holder_of(tmp_path / "x.lock")
    assert message is not None
    assert message.what == "first", "who failed wrote nothing"
    first.release()
    assert second.acquire("second")
    second.release()
    second.release()


def test_nothing_and_nonsense(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "none.lock")
    assert holder_of(tmp_path / "none.lock") is None
    (tmp_path / "odd.lock").write_text("[1, 2]")
    assert holder_of(tmp_path / "odd.lock") is None


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(SetupProblem),
        hold(tmp_path / "gone", "engine", "plan"),
    ):
        pass


@pytest.mark.skipif(os.name == "nt", reason="modes")
def test_the_file_is_the_users_alone(tmp_path: Path) -> None:
    with hold(tmp_path, "engine", "plan"):
        assert (tmp_path / "engine.lock").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_keeps_no_lock_from_being_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        lock = FileLock(tmp_path / "a.lock")
        assert lock.acquire("a test")
        assert not FileLock(tmp_path / "a.lock").acquire("another")
        lock.release()
        again = FileLock(tmp_path / "a.lock")
        assert again.acquire("a third")
        again.release()
