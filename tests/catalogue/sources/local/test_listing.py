from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from stylus_ext.catalogue.sources.local.listing import Found, list_folders


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def only(folder: Path) -> Found:
    (file,) = list_folders([folder]).seen.values()
    return file


def test_files_are_found_at_any_depth_with_what_belongs_to_them(tmp_path: Path) -> None:
    path = put(tmp_path / "a" / "b" / "rain.v1.safetensors", b"12345")
    for suffix in (".json", ".civitai.info", ".preview.png", ".jpg", ".unrelated"):
        put(path.with_name("rain.v1" + suffix))
    file = only(tmp_path)
    assert (file.path, file.relative, file.stem) == (
        str(path),
        "a/b/rain.v1.safetensors",
        "rain.v1",
    )
    assert (file.size, file.mtime_ns) == (5, path.stat().st_mtime_ns)
    assert file.sidecars == (".json", ".civitai.info")
    assert file.preview == str(path.with_name("rain.v1.jpg"))


def test_files_of_other_folders_are_ignored(tmp_path: Path) -> None:
    for name in ("x.pt", "x.ckpt", "x.safetensors.part", "._x.safetensors", "safetensors"):
        put(tmp_path / name)
    put(tmp_path / "folder.safetensors" / "y.SafeTensors")
    listing = list_folders([tmp_path])
    assert set(listing.seen) == {"y"}
    assert listing.notes == []


@pytest.mark.parametrize(
    "suffix", [".json", ".civitai.info", ".metadata.json", ".txt", ".png", ".preview.webp"]
)
def test_every_change_of_a_sidecar_shows(tmp_path: Path, suffix: str) -> None:
    """Also of sidecars that are older than the file: copied with their times, or removed."""
    path = put(tmp_path / "x.safetensors")
    states = [only(tmp_path).changed_ns]
    beside = put(tmp_path / f"x{suffix}", b"one")
    os.utime(beside, ns=(1, 1_000_000_000))
    states.append(only(tmp_path).changed_ns)
    put(beside, b"more")
    os.utime(beside, ns=(1, 1_000_000_000))
    states.append(only(tmp_path).changed_ns)
    os.utime(beside, ns=(1, 2_000_000_000))
    states.append(only(tmp_path).changed_ns)
    assert len(set(states)) == 4
    beside.unlink()
    assert only(tmp_path).changed_ns == states[0]
    assert abs(states[0] - path.stat().st_mtime_ns) < 20_000_000


def test_of_two_files_with_one_stem_the_later_is_seen(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (
        one / "b9" / "x.safetensors",
        one / "b10" / "x.safetensors",
        other / "y.safetensors",
        one / "y.safetensors",
    ):
        put(path)
    listing = list_folders([one, other])
    assert {stem: file.path for stem, file in listing.seen.items()} == {
        "x": str(one / "b10" / "x.safetensors"),
        "y": str(other / "y.safetensors"),
    }
    assert {file.path for file in listing.hidden} == {
        str(one / "b9" / "x.safetensors"),
        str(one / "y.safetensors"),
    }
    assert [note.code for note in listing.notes] == ["file_hidden", "file_hidden"]
    assert all("Rename one" in note.text for note in listing.notes)


def test_links_to_folders_are_followed_without_loops(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    put(root / "x.safetensors")
    put(elsewhere / "y.safetensors")
    try:
        (root / "loop").symlink_to(root, target_is_directory=True)
        (root / "out").symlink_to(elsewhere, target_is_directory=True)
        (elsewhere / "back").symlink_to(root, target_is_directory=True)
        (root / "self").symlink_to(root / "self")
    except OSError:
        pytest.skip("links need a right that this account lacks")
    listing = list_folders([root])
    assert set(listing.seen) == {"x", "y"}
    assert listing.hidden == []
    assert listing.seen["y"].relative == "out/y.safetensors"


def test_one_folder_given_twice_is_read_once(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "x.safetensors")
    listing = list_folders([tmp_path, tmp_path, tmp_path / "sub"])
    assert set(listing.seen) == {"x"}
    assert listing.hidden == []


def test_a_missing_folder_is_noted(tmp_path: Path) -> None:
    put(tmp_path / "here" / "x.safetensors")
    listing = list_folders([tmp_path / "nowhere", tmp_path / "here"])
    assert set(listing.seen) == {"x"}
    assert listing.unread == [str(tmp_path / "nowhere")]
    assert [note.code for note in listing.notes] == ["folder_unreadable"]
    assert "nowhere" in listing.notes[0].text


@pytest.mark.skipif(sys.platform == "win32", reason="these names and files exist on POSIX alone")
def test_links_to_nowhere_pipes_and_names_that_are_no_text_are_skipped_with_a_note(
    tmp_path: Path,
) -> None:
    (tmp_path / "broken.safetensors").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.safetensors")
    put(tmp_path / "good.safetensors")
    os.mkfifo(tmp_path / "good.json")
    try:
        put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.safetensors")))
    except OSError:
        expected = ["file_unreadable", "file_unreadable"]
    else:
        expected = ["file_name", "file_unreadable", "file_unreadable"]
    listing = list_folders([tmp_path])
    assert set(listing.seen) == {"good"}
    assert listing.seen["good"].sidecars == ()
    assert sorted(note.code for note in listing.notes) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="such names exist on POSIX alone")
def test_a_folder_whose_name_is_no_text_is_skipped_with_a_note(tmp_path: Path) -> None:
    put(tmp_path / "good.safetensors")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfedir"))
    try:
        put(odd / "inside.safetensors")
    except OSError:
        pytest.skip("this file system has no such names")
    listing = list_folders([tmp_path, odd])
    assert set(listing.seen) == {"good"}
    assert [note.code for note in listing.notes] == ["file_name", "file_name"]
    for note in listing.notes:
        note.text.encode("utf-8")
    for folder in (*listing.folders, *listing.unread):
        folder.encode("utf-8")
