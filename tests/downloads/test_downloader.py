"""What a download keeps to besides faults: what is known already, names, stops, kills, two at once,
what is written beside.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import Cancelled, InvalidInput, StoreProblem
from stylus_ext.core.fetching import NotFetched
from stylus_ext.downloads import Budget, Ledger
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.civitai_service.shapes import hashes_of
from tests.downloads.workbench import Bench, a_downloader, bench_over, lora_bytes, sha256

STORAGE = r"^/bucket/"


class Stopping:
    """A progress that says stop after so many seconds, and remembers what it was told."""

    def __init__(self, seconds: float) -> None:
        self.at, self.seen = time.monotonic() + seconds, list[tuple[str, int, int | None]]()

    def report(self, step: str, done: int, total: int | None = None) -> None:
        self.seen.append((step, done, total))
        if time.monotonic() > self.at:
            raise Cancelled("Stopped, as you asked.")


def process(
    civitai: CivitaiService, bench: Bench, *versions: int, data: Path | None = None
) -> subprocess.Popen[str]:
    words = [civitai.api, str(bench.root), str(data or bench.data), *map(str, versions)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.downloads.one_process", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )


def storage_requests(bench: Bench) -> int:
    return sum(seen.on == "storage" for seen in bench.civitai.seen)


def test_what_is_here_under_another_name_is_not_fetched(bench: Bench) -> None:
    body = bench.publish()
    (bench.root / "deep").mkdir()
    (bench.root / "deep" / "My Own Name.safetensors").write_bytes(body)
    fetched = bench.fetch()
    assert (fetched.stem, fetched.new, fetched.size) == ("My Own Name", False, 0)
    assert storage_requests(bench) == 0


def test_known_hashes_are_not_computed_again(bench: Bench, tmp_path: Path) -> None:
    body = bench.publish()
    path = bench.root / "elsewhere.safetensors"
    path.write_bytes(b"x" * len(body))
    downloader = a_downloader(
        bench.civitai, bench.http, bench.root, bench.data, hashes=lambda: {str(path): sha256(body)}
    )
    assert downloader.fetch(bench.card(), Stopping(60)).path == str(path)


def test_other_folders_of_the_host_count(bench: Bench, tmp_path: Path) -> None:
    body = bench.publish()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "there.safetensors").write_bytes(body)
    (tmp_path / "other" / "rain_12.safetensors").write_bytes(b"another")
    downloader = a_downloader(
        bench.civitai, bench.http, bench.root, bench.data, others=(tmp_path / "other",)
    )
    assert downloader.fetch(bench.card(), Stopping(60)).stem == "there"
    bench.publish(12)
    assert downloader.fetch(bench.card(12), Stopping(60)).stem == "rain_12-2"


def test_a_stem_is_no_ones_alias(bench: Bench) -> None:
    bench.publish()
    downloader = a_downloader(
        bench.civitai, bench.http, bench.root, bench.data, names=lambda: ["Rain_11"]
    )
    assert downloader.fetch(bench.card(), Stopping(60)).stem == "rain_11-2"


def test_subfolders_by_family_are_made_and_stay_inside(bench: Bench, tmp_path: Path) -> None:
    body = bench.publish()
    downloader = a_downloader(bench.civitai, bench.http, bench.root, bench.data, by_family=True)
    fetched = downloader.fetch(bench.card(base_model="SDXL 1.0"), Stopping(60))
    assert Path(fetched.path) == bench.root / "sdxl" / "rain_11.safetensors"
    bench.publish(12)
    odd = downloader.fetch(bench.card(12, base_model="../../up and away"), Stopping(60))
    assert Path(odd.path).parent.parent == bench.root
    assert set(tmp_path.iterdir()) == {bench.root, bench.data}
    bench.check(body, bench.civitai.files[12])


def test_a_subfolder_that_leads_elsewhere_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.publish()
    (tmp_path / "outside").mkdir()
    (bench.root / "sdxl").symlink_to(tmp_path / "outside")
    downloader = a_downloader(bench.civitai, bench.http, bench.root, bench.data, by_family=True)
    with pytest.raises(InvalidInput):
        downloader.fetch(bench.card(base_model="SDXL 1.0"), Stopping(60))
    assert not list((tmp_path / "outside").iterdir())


def test_a_file_that_appears_meanwhile_is_not_written_over(bench: Bench) -> None:
    body = bench.publish()
    bench.civitai.faults.add(Fault(STORAGE, on="storage", delay_s=0.4))
    users = bench.root / "rain_11.safetensors"
    threading.Timer(0.2, lambda: users.write_bytes(b"the user's")).start()
    assert bench.fetch().stem == "rain_11-2"
    bench.users[users.name] = b"the user's"
    bench.check(body)


def test_without_links_it_is_placed_as_carefully(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: Any, **__: Any) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "link", no_links)
    body = bench.publish()
    (bench.root / "rain_11.safetensors").write_bytes(b"the user's")
    bench.users["rain_11.safetensors"] = b"the user's"
    assert bench.fetch().stem == "rain_11-2"
    bench.check(body)
    assert (bench.root / "rain_11-2.json").exists()


def test_a_name_that_says_nothing_gives_way_to_the_adapters(bench: Bench) -> None:
    bench.publish()
    assert bench.fetch(11, file="lora.safetensors", name="Rainy Alley").stem == "Rainy Alley"


@pytest.mark.parametrize(
    "fault", [{"stall_at": 5000}, {"pace": 2000}, {"delay_s": 30}, {"stall_at": 0}], ids=str
)
def test_a_stop_is_heard_at_once_and_what_came_is_kept(bench: Bench, fault: dict[str, Any]) -> None:
    body = bench.publish()
    bench.civitai.faults.add(Fault(STORAGE, on="storage", **fault))
    with pytest.raises(Cancelled):  # three tries of a second each would end as Unreachable
        bench.fetch(progress=Stopping(0.5))
    bench.check()
    before = storage_requests(bench)
    assert bench.fetch().sha256 == sha256(body)
    resumed = [seen for seen in bench.civitai.seen if seen.on == "storage"][before]
    assert ("range" in resumed.headers) == (
        "stall_at" in fault and bool(fault["stall_at"]) or "pace" in fault
    )
    bench.check(body)


def test_the_progress_is_in_bytes(bench: Bench) -> None:
    body = bench.publish(body=lora_bytes(11))
    bench.civitai.faults.add(Fault(STORAGE, on="storage", pace=100_000))
    watch = Stopping(60)
    bench.fetch(progress=watch)
    steps = [seen for seen in watch.seen if seen[0] == "Fetching Adapter 11"]
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)
    assert len({done for _, done, _ in steps}) > 3
    assert steps[-1][2] == len(body)


def test_a_killed_one_is_gone_on_with(bench: Bench) -> None:
    body = bench.publish()
    bench.civitai.faults.add(Fault(STORAGE, on="storage", stall_at=9000))
    child = process(bench.civitai, bench, 11)
    until = time.monotonic() + 60
    while not any(path.stat().st_size >= 9000 for path in bench.root.glob("*.part")):
        assert time.monotonic() < until
        assert child.poll() is None, child.communicate()
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert bench.loras() == {}
    assert bench.fetch().new
    asked = [seen.headers.get("range") for seen in bench.civitai.seen if seen.on == "storage"]
    assert asked == [None, "bytes=9000-"]
    assert [name for name in bench.files() if ".part" in name or ".lock" in name] == []
    bench.check(body)


def test_what_was_whole_when_it_was_killed_is_not_fetched_again(bench: Bench) -> None:
    body = bench.publish()
    part = bench.root / f".stylus-{sha256(body)[:24]}-abc.part"
    part.write_bytes(body)
    Path(f"{part}.json").write_text(
        json.dumps({"sha256": sha256(body), "etag": "", "total": len(body)}), "utf-8"
    )
    assert bench.fetch().new
    assert storage_requests(bench) == 0
    bench.check(body)


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{}",
        '{"sha256": "another", "etag": "", "total": 5}',
        "[]",
        '{"sha256": 1, "etag": 2, "total": "x"}',
    ],
)
def test_a_part_of_which_nothing_is_known_is_not_gone_on_with(bench: Bench, state: str) -> None:
    body = bench.publish()
    part = bench.root / f".stylus-{sha256(body)[:24]}-abc.part"
    part.write_bytes(body[:100])
    Path(f"{part}.json").write_text(state, "utf-8")
    assert bench.fetch().new
    assert all("range" not in seen.headers for seen in bench.civitai.seen if seen.on == "storage")


def test_a_wrong_part_costs_another_go_and_not_the_file(bench: Bench) -> None:
    body = bench.publish()
    bench.civitai.etags = False
    part = bench.root / f".stylus-{sha256(body)[:24]}-abc.part"
    part.write_bytes(b"\0" * 9000)
    Path(f"{part}.json").write_text(
        json.dumps({"sha256": sha256(body), "etag": "", "total": len(body)}), "utf-8"
    )
    assert bench.fetch().sha256 == sha256(body)
    bench.check(body)


def test_old_parts_are_cleared_away(bench: Bench) -> None:
    bench.publish()
    for name, days in (("old", 8), ("young", 6)):
        path = bench.root / f".stylus-{name}-1.part"
        path.write_bytes(b"x")
        os.utime(path, (time.time() - days * 86_400,) * 2)
    bench.fetch()
    assert {path.name for path in bench.root.glob("*.part")} == {".stylus-young-1.part"}


def test_the_same_file_wanted_by_many_threads_is_fetched_once(bench: Bench) -> None:
    body = bench.publish()
    bench.civitai.faults.add(Fault(STORAGE, on="storage", delay_s=0.3))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: bench.fetch(), range(4)))
    assert sorted(one.new for one in found) == [False, False, False, True]
    assert storage_requests(bench) == 1
    bench.check(body)


def test_the_same_files_wanted_by_several_processes_are_fetched_once(bench: Bench) -> None:
    bodies = [bench.publish(number) for number in (11, 12, 13)]
    bench.civitai.faults.add(Fault(STORAGE, on="storage", delay_s=0.5, times=3))
    elsewhere = bench.data / "another WebUI's"
    children = [
        process(bench.civitai, bench, 11, 12, 13, data=data)
        for data in (bench.data, bench.data, elsewhere)
    ]
    message = [json.loads(child.communicate(timeout=300)[0]) for child in children]
    assert all(not one["failed"] and len(one["fetched"]) == 3 for one in message)
    assert sum(new for one in message for _, new in one["fetched"].values()) == 3
    assert len(bench.loras()) == 3
    assert storage_requests(bench) == 3
    bench.check(*bodies)


def test_different_files_of_one_name_get_different_stems_at_once(bench: Bench) -> None:
    bodies = [bench.publish(number) for number in range(20, 26)]
    with ThreadPoolExecutor(6) as pool:
        found = list(
            pool.map(
                lambda number: bench.fetch(number, file="Same Name.safetensors"), range(20, 26)
            )
        )
    assert len({one.stem.casefold() for one in found}) == 6
    bench.check(*bodies)


def test_files_at_once_share_the_quota(tmp_path: Path) -> None:
    with (
        serving() as civitai,
        bench_over(civitai, tmp_path, quota=3 * len(lora_bytes(1)) + 100) as bench,
    ):
        for number in range(11, 16):
            bench.publish(number)
        civitai.faults.add(Fault(STORAGE, on="storage", delay_s=0.2, times=-1))

        def fetch(number: int) -> str:
            try:
                bench.fetch(number)
            except NotFetched as error:
                return error.code
            return ""

        with ThreadPoolExecutor(5) as pool:
            message = sorted(pool.map(fetch, range(11, 16)))
        assert message == ["", "", "", "quota", "quota"]
        assert bench.downloader.ledger.total() == sum(map(len, bench.loras().values()))
        assert bench.downloader.budget.caps().left < len(lora_bytes(1))
        next(iter(bench.root.glob("rain_*.safetensors"))).unlink()
        assert (
            fetch(
                next(
                    number
                    for number in range(11, 16)
                    if not (bench.root / f"rain_{number}.safetensors").exists()
                )
            )
            == ""
        )


def test_the_ledger_knows_ours_alone_and_survives_a_cut_line(bench: Bench) -> None:
    body = bench.publish()
    fetched = bench.fetch()
    file = bench.data / "downloads.jsonl"
    file.write_bytes(file.read_bytes() + b'{"path": "/cut')
    ledger = Ledger(bench.data)
    assert [(own.path, own.key, own.size, own.sha256) for own in ledger.own()] == [
        (fetched.path, "civitai:11", len(body), sha256(body))
    ]
    ledger.write(Path("/gone.safetensors"), "civitai:1", 5, "x")
    assert ledger.total() == len(body)
    assert Budget(2**30, len(body) + 7, 0, ledger).caps().left == 7


def test_what_stands_beside_a_file(bench: Bench) -> None:
    bench.publish()
    card: dict[str, Any] = {
        "triggers": ("rainalley, neon", "night"),
        "text": "Wet streets.",
        "model_id": 111,
        "weight": 0.7,
        "negative_text": "blurry",
    }
    path = Path(bench.fetch(**card).path)
    message = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert (message["description"], message["preferred weight"], message["negative text"]) == (
        "Wet streets.",
        0.7,
        "blurry",
    )
    assert (message["sd version"], message["modelVersionId"], message["modelId"]) == (
        "SD1",
        11,
        111,
    )
    assert message["sha256"].lower() == sha256(bench.civitai.files[11])
    info = json.loads(path.with_suffix(".civitai.info").read_text("utf-8"))
    assert (info["id"], info["modelId"]) == (11, 111)


def test_the_folder_reads_back_what_was_written_beside(bench: Bench) -> None:
    from stylus_ext.catalogue.sources.local.scan import LoraFolder

    bench.publish()
    path = bench.fetch(
        triggers=("rainalley, neon", "night"), text="Wet streets.", model_id=111
    ).path
    (found,) = [
        one
        for one in LoraFolder([bench.root]).cards({}, Stopping(60))
        if one.file and one.file.path == path
    ]
    assert found.card is not None
    assert found.card.triggers == ("rainalley, neon", "night")
    assert {str(key) for key in (found.card.key, *found.card.equivalents)} >= {
        "civitai:11",
        f"sha256:{sha256(bench.civitai.files[11])}",
    }


def test_a_sidecar_that_is_there_keeps_what_it_says(bench: Bench) -> None:
    bench.publish()
    (bench.root / "rain_11.json").write_text(
        json.dumps({"notes": "mine", "preferred weight": 0.3, "own": [1]}), "utf-8"
    )
    (bench.root / "rain_11.civitai.info").write_text("{}", "utf-8")
    path = Path(bench.fetch(weight=0.9).path)
    message = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert (
        message["notes"],
        message["preferred weight"],
        message["own"],
        message["modelVersionId"],
    ) == (
        "mine",
        0.3,
        [1],
        11,
    )
    assert path.with_suffix(".civitai.info").read_text("utf-8") == "{}"


@pytest.mark.parametrize("content", ["no JSON", "[1]", ""])
def test_a_sidecar_that_cannot_be_read_stays_as_it_is(bench: Bench, content: str) -> None:
    bench.publish()
    (bench.root / "rain_11.json").write_text(content, "utf-8")
    path = Path(bench.fetch().path)
    assert path.with_suffix(".json").read_text("utf-8") == content


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        (".json", {"modelVersionId": 5}),
        (".json", {"sha256": "AB" * 32}),
        (".civitai.info", {"id": 5}),
    ],
)
def test_a_stem_whose_sidecar_speaks_of_another_file_is_not_taken(
    bench: Bench, suffix: str, message: dict[str, Any]
) -> None:
    bench.publish()
    (bench.root / f"rain_11{suffix}").write_text(json.dumps(message), "utf-8")
    assert bench.fetch().stem == "rain_11-2"


def test_a_full_disk_in_the_middle_leaves_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = os.write, [0]

    def full(handle: int, data: Any) -> int:
        written[0] += len(data)
        if written[0] > 10_000 and len(data) > 1000:
            raise OSError(28, "No space left on device")
        return write(handle, data)

    bench.publish()
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(NotFetched, check=lambda error: error.code == "disk_full"):
        bench.fetch()
    monkeypatch.undo()
    assert [name for name in bench.files() if ".part" in name] == []
    bench.check()


def test_a_folder_that_cannot_be_written_to_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.publish()
    opened = os.open

    def refused(path: Any, flags: int, *rest: Any) -> int:
        if str(path).endswith(".lock"):
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(StoreProblem):
        bench.fetch()


def test_without_a_key_it_is_tried_once_and_then_said(tmp_path: Path) -> None:
    with serving() as civitai, bench_over(civitai, tmp_path) as bench:
        from dataclasses import replace

        from stylus_ext.catalogue.sources.civitai import CivitaiClient, CivitaiSource
        from stylus_ext.net import Http
        from tests.downloads.workbench import QUICK

        bench.publish()
        civitai.rules[11] = "login"
        http = Http(limits=QUICK)
        try:
            downloader = replace(
                bench.downloader,
                source=CivitaiSource(CivitaiClient(http, civitai.api), has_key=False),
                receiver=replace(bench.downloader.receiver, http=http),
            )
            with pytest.raises(NotFetched) as caught:
                downloader.fetch(bench.card(), Stopping(60))
            assert caught.value.code == "key_needed"
            assert len(civitai.asked("/api/download/models/11")) == 1
            civitai.rules.clear()
            assert downloader.fetch(bench.card(), Stopping(60)).new, "some may be had without one"
        finally:
            http.close()


def test_a_file_that_changed_between_asking_and_fetching(bench: Bench) -> None:
    """The offer says the old hash, what comes is the new file, and by now the new hash is
    stated.
    """
    old, new = lora_bytes(1), lora_bytes(2)
    bench.publish(11, old)
    version = bench.civitai.models[0]["modelVersions"][0]
    bench.civitai.files[11] = new

    def state_the_new(_: bytes) -> bytes:
        version["files"][0]["hashes"] = hashes_of(new)
        return new

    bench.civitai.faults.add(Fault(STORAGE, on="storage", alter=state_the_new))
    assert bench.fetch().sha256 == sha256(new)
    bench.check(new)


def test_a_netrc_changes_nothing(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "state" / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n", "utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    body = bench.publish()
    bench.fetch()
    assert {
        seen.headers.get("authorization") for seen in bench.civitai.seen if seen.on == "api"
    } == {"Bearer the-right-key"}
    assert {
        seen.headers.get("authorization") for seen in bench.civitai.seen if seen.on == "storage"
    } == {None}
    bench.check(body)
