"""An endless trickle ends; a slow line does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.downloads.receive import OutOfTime, StallDetector, TooSlow, WaitingTime
from tests.civitai_service.faults import Fault
from tests.downloads.workbench import Bench, lora_bytes


def hurried(bench: Bench, slowest: int, window_s: float = 0.3) -> None:
    receiver = replace(bench.downloader.receiver, slowest=slowest, window_s=window_s)
    bench.downloader = replace(bench.downloader, receiver=receiver)


def test_a_trickle_ends_with_a_sentence_and_what_has_come_is_kept(bench: Bench) -> None:
    body = bench.publish()
    hurried(bench, 50_000)
    bench.civitai.faults.add(Fault(r"^/bucket/", on="storage", pace=2_000, times=-1))
    with pytest.raises(TooSlow, match="49 KB"):
        bench.fetch()
    assert (
        len([one for one in bench.civitai.seen if one.on == "storage"])
        == bench.downloader.receiver.tries
    )
    bench.check(body)
    left = [path for path in bench.root.iterdir() if path.suffix == ".part"]
    assert [0 < path.stat().st_size < len(body) for path in left] == [True]
    bench.civitai.faults.clear()
    assert Path(bench.fetch().path).read_bytes() == body


def test_a_slow_line_is_waited_for(bench: Bench) -> None:
    body = bench.publish(body=lora_bytes(11))
    hurried(bench, 1000)
    bench.civitai.faults.add(Fault(r"^/bucket/", on="storage", pace=len(body) / 1.5))
    assert Path(bench.fetch().path).read_bytes() == body
    assert len([one for one in bench.civitai.seen if one.on == "storage"]) == 1


@given(st.lists(st.tuples(st.floats(0.01, 30.0), st.integers(0, 10_000)), max_size=60))
def test_only_windows_in_which_too_little_came_are_breaks(steps: list[tuple[float, int]]) -> None:
    now, size, detector = 0.0, 0, StallDetector(100, 10.0, 0.0, 0)
    for wait, more in steps:
        now, size, before = now + wait, size + more, detector
        over = now - before.since >= 10.0
        if over and size - before.size < 100 * (now - before.since):
            with pytest.raises(TooSlow):
                detector.after(size, now, "Fox")
            return
        detector = before.after(size, now, "Fox")
        assert detector == (StallDetector(100, 10.0, now, size) if over else before)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(r"^/bucket/", on="storage", stall_at=5_000, times=-1),
        Fault(r"^/bucket/", on="storage", delay_s=60, times=-1),
        Fault(r"^/bucket/", on="storage", headless=True, times=-1),
        Fault(r"/model-versions/", delay_s=60, times=-1),
    ],
    ids=["stalls", "slow heads", "broken connections", "a slow API"],
)
def test_all_waiting_of_a_file_together_has_an_end(bench: Bench, fault: Fault) -> None:
    body = bench.publish()
    patient = replace(bench.downloader.receiver, waiting_s=0.8, tries=10**6, most=10**6)
    bench.downloader = replace(bench.downloader, receiver=patient)
    bench.civitai.faults.add(fault)
    with pytest.raises(OutOfTime):
        bench.fetch()
    bench.check(body)
    bench.civitai.faults.clear()
    assert Path(bench.fetch().path).read_bytes() == body


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 30)), max_size=40))
def test_only_bytes_win_time_back(steps: list[tuple[int, float]]) -> None:
    """The time that is left is never more than at the beginning, and waiting takes it away."""
    now = 100.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic", lambda: now)
        waiting = WaitingTime("it", 60.0, 1000)
        waiting.check(0)
        received, left = 0, 60.0
        for gained, seconds in steps:
            received, now = received + gained, now + seconds
            left = min(60.0, left + gained / 1000) - seconds
            if left <= 0:
                with pytest.raises(OutOfTime):
                    waiting.check(received)
                return
            waiting.check(received)
            waiting.rest()
            now += 1000.0
            waiting.check(received)
