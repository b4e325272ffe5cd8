from __future__ import annotations

from pathlib import Path

from stylus_ext.catalogue.vectors.matrix import discard, read_json


def test_what_is_no_json_object_counts_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "mark.json"
    assert read_json(path) is None
    for content in (b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000):
        path.write_bytes(content)
        assert read_json(path) is None


def test_discarding_twice_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "old.vectors"
    path.write_bytes(b"x")
    discard(path)
    discard(path)
    assert not path.exists()
