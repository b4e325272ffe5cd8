from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stylus_ext.catalogue.sources.local.header import BadLoraFile, read_header
from stylus_ext.catalogue.sources.local.scan import digests_of
from stylus_ext.core.errors import Cancelled, Unavailable
from tests.fakes import Watch
from tests.lora_files import safetensors_bytes, write_lora


def test_both_hashes(tmp_path: Path) -> None:
    path = write_lora(tmp_path / "x.safetensors", metadata={"a": "b"})
    content = path.read_bytes()
    watch = Watch()
    digests = digests_of(path, watch)
    assert digests.sha256 == digests_of(path, Watch()).sha256 == hashlib.sha256(content).hexdigest()
    assert digests.auto_v3 == hashlib.sha256(content[read_header(path).start :]).hexdigest()[:12]
    assert watch.seen[-1] == ("Hashing x.safetensors", len(content), len(content))


def test_metadata_change_the_files_hash_and_not_that_of_the_tensors(tmp_path: Path) -> None:
    one = digests_of(write_lora(tmp_path / "one.safetensors", metadata={"a": "b"}), Watch())
    two = digests_of(write_lora(tmp_path / "two.safetensors", metadata={"a": "c"}), Watch())
    assert one.auto_v3 == two.auto_v3
    assert one.sha256 != two.sha256


def test_hashing_can_be_cancelled_between_chunks(tmp_path: Path) -> None:
    path = tmp_path / "big.safetensors"
    path.write_bytes(safetensors_bytes({"x.lora_up.weight": (3, 1024 * 1024)}))
    watch = Watch()
    digests_of(path, watch)
    assert len(watch.seen) > 1
    with pytest.raises(Cancelled):
        digests_of(path, Watch(patience=0))


class Writer:
    """A progress in whose hands the file grows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def report(self, step: str, done: int, total: int | None = None) -> None:
        with self.path.open("ab") as file:
            file.write(b"more")
        self.path = self.path.with_name("other")


def test_a_file_that_changes_meanwhile_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        digests_of(write_lora(tmp_path / "x.safetensors"), Writer(tmp_path / "x.safetensors"))


def test_a_file_that_is_gone_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(BadLoraFile):
        digests_of(tmp_path / "gone.safetensors", Watch())
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no")
    with pytest.raises(BadLoraFile):
        digests_of(damaged, Watch())
