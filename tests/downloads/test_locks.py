from __future__ import annotations

import errno
import fcntl
import threading
import time
from pathlib import Path

import pytest

from stylus_ext.core.errors import Cancelled, StoreProblem
from stylus_ext.downloads.folder import hold_file


def free() -> None:
    pass


def test_one_at_a_time_and_nothing_is_left(tmp_path: Path) -> None:
    inside, most, guard = [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(10):
            with hold_file(tmp_path / "a.lock", free):
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                with guard:
                    inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert list(tmp_path.iterdir()) == []


def test_who_waits_hears_it_and_may_stop(tmp_path: Path) -> None:
    reported: list[str] = []

    def stop() -> None:
        if reported:
            raise Cancelled("Stopped, as you asked.")

    with (
        hold_file(tmp_path / "a.lock", free),
        pytest.raises(Cancelled),
        hold_file(tmp_path / "a.lock", stop, lambda: reported.append("waits")),
    ):
        pytest.fail("two had it")
    assert reported == ["waits"]


def test_a_lock_that_a_kill_has_left_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.lock").write_bytes(b"")
    with hold_file(tmp_path / "a.lock", free):
        assert (tmp_path / "a.lock").exists()
    assert not (tmp_path / "a.lock").exists()


def test_a_drive_without_locks_is_worked_on_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with hold_file(tmp_path / "a.lock", free):
        pass


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "a.lock").symlink_to(tmp_path / "victim")
    with (
        pytest.raises(StoreProblem),
        hold_file(tmp_path / "a.lock", free),
    ):
        pytest.fail("it was followed")
    assert (tmp_path / "victim").read_bytes() == b"mine"


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreProblem, match="gone"), hold_file(tmp_path / "gone" / "a.lock", free):
        pytest.fail("there is no such folder")
