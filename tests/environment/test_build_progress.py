"""Progress of a build: it only grows, never says more than all, and ends near the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.environment.layout import EnvironmentPart, LockFile, default_locks, read_lock
from stylus_ext.environment.progress import BuildProgress, ProgressMeter, megabytes, read_progress


def part(name: str, download: int, unpacked: int) -> EnvironmentPart:
    return EnvironmentPart(Path(name), LockFile(Path(f"{name}.txt"), "", (), download, unpacked))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "progress.json"


def test_what_pip_does_to_its_folders_as_it_was_measured(place: Path) -> None:
    """Wheels arrive, are unpacked beside themselves, and go; then byte code is added."""
    packages = part("packages", 190, 640)
    seen: list[BuildProgress] = []
    meter = ProgressMeter(place, [packages], seen.append)
    meter.begin(packages)
    for size in (0, 24, 25, 24, 172, 115, 121, 179, 822, 824, 643):
        meter.tell("fetching", size)
    meter.fetched(packages)
    for size in (644, 700, 760):
        meter.tell("compiling", size)
    assert [one.done_mb for one in seen] == [
        0,
        24,
        25,
        25,
        172,
        172,
        172,
        179,
        822,
        824,
        824,
        834,
        890,
        945,
    ]
    assert {one.total_mb for one in seen} == {190 + 755}
    left = read_progress(place)
    assert left is not None
    assert (left.step, left.done_mb) == ("compiling", 945)


def test_the_second_part_goes_on_where_the_first_one_ends(place: Path) -> None:
    first, torch = part("packages", 10, 100), EnvironmentPart(Path("torch"), None)
    seen: list[BuildProgress] = []
    meter = ProgressMeter(place, [first, torch], seen.append)
    meter.begin(first)
    meter.tell("fetching", 60)
    meter.begin(torch)
    meter.tell("fetching torch", 0)
    meter.tell("fetching torch", 5)
    assert [one.done_mb for one in seen] == [60, 128, 133]
    assert {one.total_mb for one in seen} == {128 + sum(megabytes(torch))}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5000)), max_size=40))
def test_whatever_the_folders_do_it_grows_and_stays_below_all(
    tmp_path_factory: pytest.TempPathFactory, does: list[tuple[int, int]]
) -> None:
    parts = [part("one", 50, 200), EnvironmentPart(Path("torch"), None)]
    seen: list[BuildProgress] = []
    meter = ProgressMeter(tmp_path_factory.mktemp("meter") / "progress.json", parts, seen.append)
    waiting = list(parts)
    meter.begin(now := waiting.pop(0))
    for what, size in does:
        if what == 1:
            meter.fetched(now)
        elif what == 2 and waiting:
            meter.begin(now := waiting.pop(0))
        else:
            meter.tell("step", size)
    done = [one.done_mb for one in seen]
    assert done == sorted(done)
    assert all(0 <= one.done_mb <= one.total_mb for one in seen)
    assert all(one.eta_s is None or one.eta_s >= 0 for one in seen)


def test_the_engine_lock_announces_what_was_measured() -> None:
    """180 MB of wheels, 644 MB unpacked and 760 MB with byte code on Linux."""
    lock = read_lock(default_locks() / "engine.txt")
    download, disk = megabytes(EnvironmentPart(Path("x"), lock))
    assert abs(download - 180) <= 20
    assert abs(disk - 760) <= 20
