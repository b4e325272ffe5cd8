"""An endless trickle ends; a slow line does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.downloads.receive import StallDetector, TooSlow
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
