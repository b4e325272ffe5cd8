"""A child learns from its standard input that its starter has gone; on Windows it looks instead of
waiting in a read.
"""

from __future__ import annotations

import array
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from stylus_ext.environment.layout import ROOT
from stylus_ext.environment.parent_watch import poll_until_end

WAITING = """
from stylus_ext.environment.parent_watch import wait_for_parent_end
print("waits", flush=True)
wait_for_parent_end()
print("ended", flush=True)
"""


def test_what_is_written_is_dropped_and_the_end_is_the_end() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"waits"
        child.stdin.write(b"x" * 10_000)
        child.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.2)
        child.stdin.close()
        assert child.stdout.read().strip() == b"ended"
        assert child.wait(60) == 0


def waiting_in(pipe: int) -> Callable[[], int]:
    """Says of a pipe what Windows says: the bytes that wait, and a broken pipe when nobody can
    write any more.
    """
    import fcntl
    import select
    import termios

    def waiting() -> int:
        there = array.array("i", [0])
        fcntl.ioctl(pipe, termios.FIONREAD, there)
        return there[0]

    def look() -> int:
        if not waiting() and select.select([pipe], [], [], 0)[0] and not waiting():
            raise BrokenPipeError  # readable, and not because something came meanwhile
        return waiting()

    return look


@pytest.mark.skipif(os.name == "nt", reason="looks at a pipe as POSIX can")
def test_a_pipe_is_looked_at_and_never_waited_in() -> None:
    here, there = os.pipe()
    taken, ended = [], threading.Event()

    def wait() -> None:
        # Whoever takes what is not there would stand still, and with it whoever asks for anything
        # else about the pipe.
        if poll_until_end(
            waiting_in(here), lambda count: taken.append(os.read(here, count)), pause_s=0.01
        ):
            ended.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    os.write(there, b"x" * 9_000)
    assert not ended.wait(0.1)
    os.close(there)
    assert ended.wait(60)
    thread.join()
    os.close(here)
    assert b"".join(taken) == b"x" * 9_000


def test_what_cannot_be_looked_at_is_said_and_what_breaks_later_has_ended() -> None:
    def console() -> int:
        raise OSError(22, "a console is no pipe")

    assert not poll_until_end(console, str)
    answers = [0, 0]

    def closed_later() -> int:
        return answers.pop() if answers else console()

    assert poll_until_end(closed_later, str, pause_s=0.0)
