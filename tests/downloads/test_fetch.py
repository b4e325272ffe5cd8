"""Several files at once: what came, what did not, and how it is stopped."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import Cancelled, Unavailable
from stylus_ext.core.fetching import Fetched, NotFetched
from stylus_ext.core.ports import Progress
from stylus_ext.downloads.fetch import FetchMissing
from tests.fakes import Watch, make_card


@dataclass
class SlowDownloader:
    """Real work in small: each file has a hundred bytes and takes `takes_s`; those in `wrong` fail,
    `breaks` raises what nobody foresaw.
    """

    takes_s: float = 0.05
    wrong: frozenset[int] = frozenset()
    breaks: frozenset[int] = frozenset()
    running: int = 0
    ended: int = 0
    most: int = 0
    asked: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, card: AdapterCard, progress: Progress) -> Fetched:
        with self.guard:
            self.asked.append(card.key.value)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            until = time.monotonic() + self.takes_s
            while time.monotonic() < until:
                progress.report(f"Fetching {card.name}", 50, 100)
                time.sleep(0.01)
            if int(card.key.value) in self.breaks:
                raise RuntimeError("an unexpected error")
            if int(card.key.value) in self.wrong:
                raise (
                    NotFetched("wrong_hash", "It is another file.")
                    if int(card.key.value) % 2
                    else Unavailable("Nobody answers.")
                )
            progress.report(f"Fetching {card.name}", 100, 100)
            self.ended += 1
        finally:
            with self.guard:
                self.running -= 1
        return Fetched(
            card.key, f"/loras/{card.name}.safetensors", card.name, "a" * 64, 100, new=True
        )


def cards(count: int) -> list[AdapterCard]:
    return [make_card(number, f"Adapter {number}") for number in range(1, count + 1)]


def test_one_that_fails_stops_no_other_and_has_a_sentence() -> None:
    report = FetchMissing(SlowDownloader(wrong=frozenset({1, 2})))(cards(4), Watch())
    assert [one.key.value for one in report.fetched] == ["3", "4"]
    assert [(one.key.value, one.name, one.code, one.text) for one in report.failed] == [
        ("1", "Adapter 1", "wrong_hash", "Adapter 1 was not fetched: It is another file."),
        ("2", "Adapter 2", "failed", "Adapter 2 was not fetched: Nobody answers."),
    ]


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_so_many_at_once_and_no_more(at_once: int) -> None:
    downloader = SlowDownloader()
    report = FetchMissing(downloader, at_once)(cards(6), Watch())
    assert len(report.fetched) == 6
    assert downloader.most == at_once


def test_each_is_asked_for_once_and_nothing_is_nothing() -> None:
    downloader = SlowDownloader(takes_s=0)
    assert FetchMissing(downloader)([*cards(2), *cards(2)], Watch()).fetched[1].key.value == "2"
    assert sorted(downloader.asked) == ["1", "2"]
    assert FetchMissing(downloader)([], Watch()).fetched == ()


def test_the_progress_counts_the_bytes_of_all() -> None:
    watch = Watch()
    FetchMissing(SlowDownloader(takes_s=0.3), 4)(cards(4), watch)
    assert ("Fetching 4 LoRAs", 200, 400) in watch.seen
    assert watch.seen[-1] == ("Fetching 4 LoRAs", 400, 400)
    alone = Watch()
    FetchMissing(SlowDownloader(takes_s=0.2))(cards(1), alone)
    assert ("Fetching Adapter 1", 50, 100) in alone.seen


def test_a_stop_ends_all_of_them_soon() -> None:
    downloader = SlowDownloader(takes_s=60)
    with pytest.raises(Cancelled):
        FetchMissing(downloader, 3)(cards(9), Watch(patience=3))
    assert (downloader.running, downloader.ended) == (0, 0)
    assert len(downloader.asked) <= 4, "those that waited are not begun"


def test_an_unexpected_error_stops_no_other_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    downloader = SlowDownloader(breaks=frozenset({1}))
    report = FetchMissing(downloader)(cards(3), Watch())
    assert [one.key.value for one in report.fetched] == ["2", "3"]
    assert [(one.key.value, one.code) for one in report.failed] == [("1", "unexpected")]
    assert "an unexpected error" not in report.failed[0].text
    assert "an unexpected error" in caplog.text
    assert downloader.running == 0
