from __future__ import annotations

from pathlib import Path

from stylus_ext.catalogue.vectors.matrix import discard, read_json, write_json


def test_a_json_file_is_written_over_another_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mark.json"
    write_json(path, {"mark": "eins"})
    write_json(path, {"mark": "zwei ö \ud800"})
    assert read_json(path) == {"mark": "zwei ö \ud800"}
    assert [found.name for found in path.parent.iterdir()] == ["mark.json"]


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
