"""Making room: only what we fetched, as we put it, long unused, and not marked."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from stylus_ext.core.errors import Cancelled, StoreProblem
from stylus_ext.downloads import Ledger, discard
from tests.downloads.workbench import Bench

DAY = 86_400


def free() -> None:
    pass


def aged(bench: Bench, days: float) -> Ledger:
    """As if all that is written down had happened so many days before."""
    file = bench.data / "downloads.jsonl"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line]
    file.write_text(
        "".join(json.dumps({**line, "at": line["at"] - days * DAY}) + "\n" for line in lines),
        "utf-8",
    )
    return Ledger(bench.data)


@pytest.fixture
def two(bench: Bench) -> Bench:
    for number in (11, 12):
        bench.publish(number)
        bench.fetch(number)
    return bench


def message(ledger: Ledger, days: int = 30, *favourites: str, **named: object) -> dict[str, str]:
    return {one.key: one.why_not for one in discard(ledger, favourites, days, free, **named)}  # type: ignore[arg-type]


def test_what_was_fetched_long_ago_goes_and_nothing_of_the_users(two: Bench) -> None:
    ledger = aged(two, 31)
    assert message(ledger) == {"civitai:11": "", "civitai:12": ""}
    assert two.loras() == {}
    assert (two.root / "rain_11.json").exists(), "the user may have written into it"
    assert ledger.total() == 0
    two.check()


def test_a_dry_run_deletes_nothing(two: Bench) -> None:
    assert message(aged(two, 31), dry_run=True) == {"civitai:11": "", "civitai:12": ""}
    assert len(two.loras()) == 2


def test_what_was_used_lately_stays(two: Bench) -> None:
    ledger = aged(two, 31)
    ledger.used(["civitai:11", "civitai:999"])
    assert message(ledger) == {"civitai:11": "used within the last 30 days", "civitai:12": ""}
    assert len(two.loras()) == 1
    assert message(Ledger(two.data), 0) == {"civitai:11": "used within the last 1 days"}


def test_a_use_is_written_down_once_a_day_and_for_ours_alone(two: Bench) -> None:
    ledger = aged(two, 3)
    before = len((two.data / "downloads.jsonl").read_text("utf-8").split())
    for _ in range(3):
        ledger.used(["civitai:11", "civitai:5"])
    lines = [
        json.loads(line)
        for line in (two.data / "downloads.jsonl").read_text("utf-8").splitlines()
        if line
    ]
    assert [line["used"] for line in lines if "used" in line] == ["civitai:11"]
    assert len(lines) < before
    assert ledger.last_use()["civitai:11"] == pytest.approx(time.time(), abs=60)


def test_favourites_stay_and_others_may_be_named(two: Bench) -> None:
    ledger = aged(two, 400)
    assert message(ledger, 30, "civitai:11") == {
        "civitai:11": "marked as always",
        "civitai:12": "",
    }
    assert message(ledger, 30, only={"civitai:12"}) == {}
    assert message(ledger, 30, only={"civitai:11"}) == {"civitai:11": ""}


def test_a_file_that_the_user_put_in_its_place_stays(two: Bench) -> None:
    path = two.root / "rain_11.safetensors"
    path.write_bytes(path.read_bytes()[::-1])
    assert message(aged(two, 31))["civitai:11"] == "the file was changed after the download"
    assert path.exists()
    path.write_bytes(b"of another size")
    assert "civitai:11" not in message(Ledger(two.data))
    assert path.exists()


def test_it_can_be_stopped(two: Bench) -> None:
    def stop() -> None:
        raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        list(discard(aged(two, 31), (), 30, stop))
    assert len(two.loras()) == 2


def test_what_cannot_be_deleted_is_named(two: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    ledger = aged(two, 31)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(StoreProblem, match=r"rain_1\d\.safetensors"):
        message(ledger)
