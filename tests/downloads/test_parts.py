"""What a kill can leave of a part, and what is made of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stylus_ext.core.fetching import NotFetched
from stylus_ext.downloads import ledger
from stylus_ext.downloads.part import PartState, open_part
from tests.downloads.workbench import Bench, lora_bytes, sha256


def free() -> None:
    pass


def left(
    folder: Path, body: bytes, digest: str = "", name: str = "civitai-11", total: int = 0
) -> Path:
    path = folder / f".stylus-{name}-abc.part"
    path.write_bytes(body)
    Path(f"{path}.json").write_text(
        json.dumps({"sha256": digest, "etag": "", "total": total or len(body)}), "utf-8"
    )
    return path


def test_a_part_that_has_a_files_name_already_is_not_written_into(tmp_path: Path) -> None:
    """A kill between the file's getting its name and the part's losing its own."""
    part = left(tmp_path, b"the file")
    os.link(part, tmp_path / "rain.safetensors")
    fresh = open_part(tmp_path, "civitai-11", "", free)
    fresh.write(b"something else")
    fresh.close()
    assert (fresh.path, fresh.joined) != (part, True)
    assert fresh.state == PartState()
    assert (tmp_path / "rain.safetensors").read_bytes() == b"the file"
    assert not part.exists()
    assert not Path(f"{part}.json").exists()


def test_a_file_that_is_another_by_now_leaves_the_one_of_before_alone(
    tmp_path: Path, bench: Bench
) -> None:
    """Without a stated hash the part is known by its version alone, and would be emptied where the
    file stands.
    """
    bench.downloader.budget.unhashed = True
    body = bench.publish(hashes={})
    before = lora_bytes(99)[:-8]
    part = left(bench.root, before)
    os.link(part, bench.root / "renamed by me.safetensors")
    bench.users["renamed by me.safetensors"] = before
    assert bench.fetch().sha256 == sha256(body)
    bench.check(body)


def test_what_has_no_hash_is_fetched_once_all_the_same(bench: Bench) -> None:
    bench.downloader.budget.unhashed = True
    body = bench.publish(hashes={})
    first, again = bench.fetch(), bench.fetch()
    assert (first.new, again.new, again.path) == (True, False, first.path)
    Path(first.path).unlink()
    assert bench.fetch().new
    bench.check(body)


def test_what_is_there_already_needs_no_more_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bench.publish()
    monkeypatch.setattr(ledger, "_free", lambda folder: len(body) - 5000)
    with pytest.raises(NotFetched, match="--keep-free-gb"):
        bench.fetch()
    left(bench.root, body[:6000], sha256(body), sha256(body)[:24], len(body))
    bench.civitai.etags = False
    assert bench.fetch().new
    bench.check(body)
