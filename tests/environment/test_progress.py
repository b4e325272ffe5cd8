from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stylus_ext.environment.machine import folder_size, free_bytes
from stylus_ext.environment.progress import BuildProgress, read_progress, write_progress

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (BuildProgress("looking for torch"), "looking for torch"),
        (
            BuildProgress("unpacking", 0, 400),
            "[                        ] unpacking: 0 of about 400 MB",
        ),
        (
            BuildProgress("unpacking", 100, 400, 12),
            "[######                  ] unpacking: 100 of about 400 MB, about 12 s left",
        ),
        (
            BuildProgress("unpacking", 400, 400, 0),
            "[########################] unpacking: 400 of about 400 MB, about 0 s left",
        ),
        (
            BuildProgress("unpacking", 900, 400),
            "[########################] unpacking: 900 of about 400 MB",
        ),
    ],
)
def test_a_line_by_hand(progress: BuildProgress, line: str) -> None:
    assert progress.line() == line


def test_what_is_written_is_read_with_who_wrote_it_and_when(tmp_path: Path) -> None:
    before = time.time()
    write_progress(
        tmp_path / "progress.json",
        BuildProgress("unpacking", 3, 9, 4, error="no room", finished=True),
    )
    found = read_progress(tmp_path / "progress.json")
    assert found is not None
    assert (
        found.step,
        found.done_mb,
        found.total_mb,
        found.eta_s,
        found.error,
        found.finished,
    ) == ("unpacking", 3, 9, 4, "no room", True)
    assert found.pid == os.getpid()
    assert before <= found.updated <= time.time()
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"3", b"\xff\xfe", b'{"steps": 1}', b'{"done_mb": 1}']
)
def test_a_file_of_something_else_is_no_progress(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "progress.json").write_bytes(content)
    assert read_progress(tmp_path / "progress.json") is None
    assert read_progress(tmp_path / "nowhere.json") is None
    assert read_progress(tmp_path) is None


WRITER = """
import sys
from pathlib import Path
from stylus_ext.environment.progress import BuildProgress, write_progress
print("ready", flush=True)
for number in range(10 ** 9):
    write_progress(Path(sys.argv[1]), BuildProgress("x" * (number % 5000), number))
"""


def test_a_reader_never_sees_half_a_file_and_a_kill_leaves_a_whole_one(tmp_path: Path) -> None:
    place = tmp_path / "progress.json"
    write_progress(place, BuildProgress("first"))
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place)], cwd=ROOT, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        seen = [read_progress(place) for _ in range(200)]
        child.kill()
    assert None not in seen
    assert json.loads(place.read_text("utf-8"))["step"] in {
        "first",
        *("x" * number for number in range(5000)),
    }


class TestSizes:
    def test_every_file_counts_once_and_links_do_not_lead_away(self, tmp_path: Path) -> None:
        inside, outside = tmp_path / "inside", tmp_path / "outside"
        (inside / "deep" / "er").mkdir(parents=True)
        outside.mkdir()
        (outside / "big").write_bytes(b"x" * 100_000)
        (inside / "one").write_bytes(b"x" * 10)
        (inside / "deep" / "er" / "two").write_bytes(b"x" * 200)
        assert folder_size(inside) == 210
        (inside / "away").symlink_to(outside)
        (inside / "loop").symlink_to(inside)
        assert 210 <= folder_size(inside) < 5_000

    def test_a_file_that_vanishes_takes_no_other_with_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The listing of a folder is read first, as the real one is, and a file of it goes before
        it is asked for its size.
        """
        for name in ("a", "b", "c"):
            (tmp_path / name).write_bytes(b"x" * 10)
        scan = os.scandir

        class Late:
            def __init__(self, folder: str) -> None:
                with scan(folder) as entries:
                    self.entries = sorted(entries, key=lambda entry: entry.name)
                (tmp_path / "a").unlink()

            def __enter__(self) -> list[os.DirEntry[str]]:
                return self.entries

            def __exit__(self, *_: object) -> None:
                return None

        monkeypatch.setattr(os, "scandir", Late)
        assert folder_size(tmp_path) == 20

    def test_there_is_some_room_here(self, tmp_path: Path) -> None:
        assert free_bytes(tmp_path) > 0
