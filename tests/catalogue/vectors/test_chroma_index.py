"""Chroma and the cache beside it: kept in step, repaired from each other, losses reported."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest

from stylus_ext.catalogue.vectors import ChromaIndex
from stylus_ext.catalogue.vectors.chroma import ChromaHome
from stylus_ext.catalogue.vectors.matrix import Row, Rows
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS, View
from stylus_ext.core.errors import InvalidInput, StoreProblem, Unavailable
from stylus_ext.core.ports import Matrix, VectorItem
from tests.vectors import WIDE, cache_of, chroma_of, clustered, item, made, unit, write_old_cache


def opened(folder: Path, **options: object) -> ChromaIndex:
    return ChromaIndex(folder, str(options.pop("name", "bag")), WIDE, **options)  # type: ignore[arg-type]


def fill(index: ChromaIndex, count: int = 30) -> None:
    for view in VIEWS:
        items = [item(number, view, ("sd1", "flux")[number % 2]) for number in range(1, count + 1)]
        index.write(items, made(items))


def agree(folder: Path, **options: object) -> dict[AdapterKey, str]:
    """What is kept, having seen that Chroma, the matrix and the fingerprints say the same."""
    index = opened(folder, **options)
    index.close()
    url = str(options.get("url", ""))
    home = chroma_of(folder, url)
    for view in VIEWS:
        cached = Rows(cache_of(folder, url), view, WIDE)
        here = cached.fingerprints()
        assert {str(key): printed for key, printed in index.fingerprints(view).items()} == here
        assert home.listing(view) == here
        assert home.count(view) == len(here)
        for rows, vectors in home.fetch(view, sorted(here)):
            assert np.allclose(vectors, unit(*(row.fingerprint for row in rows)), atol=1e-6)
            for matrix_rows, matrix_vectors in cached.batches([row.key for row in rows]):
                assert np.array_equal(
                    matrix_vectors, unit(*(row.fingerprint for row in matrix_rows))
                )
    home.close()
    return index.fingerprints("card")


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders of Chroma that were opened, in order."""
    folders = list[str]()
    client = chromadb.PersistentClient

    def counted(path: str, **options: Any) -> Any:
        folders.append(path)
        return client(path, **options)

    monkeypatch.setattr(chromadb, "PersistentClient", counted)
    return folders


def test_opening_reads_the_matrix_alone(tmp_path: Path, openings: list[str]) -> None:
    first = opened(tmp_path)
    fill(first)
    first.set_mark("seven")
    first.close()
    openings.clear()
    again = opened(tmp_path)
    assert again.mark == "seven"
    assert len(again.search("card", unit("print-3"), 5)[0]) == 5
    again.remove([AdapterKey.civitai(99)])
    assert openings == []
    assert again.notes == ()
    assert len(agree(tmp_path)) == 30


def test_vectors_of_two_makers_never_mix(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path, name="another")
    fill(one, 3)
    one.set_mark("one")
    assert other.fingerprints("card") == {}
    assert other.mark == ""
    other.write([item(1, fingerprint="theirs")], unit("theirs"))
    assert one.fingerprints("card")[AdapterKey.civitai(1)] == "print-1"
    wider = ChromaIndex(tmp_path, "bag", WIDE * 2)
    assert wider.fingerprints("card") == {}
    wider.write([item(1)], unit("x", wide=WIDE * 2))
    for index in (one, other, wider):
        index.close()
    assert len(agree(tmp_path)) == 3


def test_wrong_vectors_are_refused_whole(tmp_path: Path) -> None:
    index = opened(tmp_path)
    with pytest.raises(InvalidInput, match="24"):
        index.write([item(1)], unit("x", wide=WIDE + 1))
    with pytest.raises(InvalidInput):
        index.write([item(1)], np.full((1, WIDE), np.nan, dtype=np.float32))
    assert index.fingerprints("card") == {}


def test_the_last_of_one_key_in_a_batch_counts(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.write(
        [item(1, fingerprint="a"), item(1, fingerprint="b"), item(1, "title", fingerprint="c")],
        unit("a", "b", "c"),
    )
    index.close()
    assert agree(tmp_path) == {AdapterKey.civitai(1): "b"}


@pytest.mark.parametrize(
    "harm",
    [
        "matrix gone",
        "matrix cut",
        "matrix damaged",
        "chroma gone",
        "chroma lost some",
        "chroma has others",
    ],
)
def test_each_fills_what_the_other_lost(tmp_path: Path, harm: str) -> None:
    index = opened(tmp_path)
    fill(index)
    index.set_mark("seven")
    index.close()
    own, home = cache_of(tmp_path), chroma_of(tmp_path)
    if harm == "chroma lost some":
        home.delete("card", ["civitai:4", "civitai:5"])
    elif harm == "chroma has others":
        home.put("card", [Row("civitai:777", "sd1", "print-4")], unit("print-4"))
    home.close()
    if harm == "chroma gone":
        shutil.rmtree(tmp_path / "chroma")
    elif harm == "matrix gone":
        shutil.rmtree(own)
    elif harm == "matrix cut":
        next(own.glob("card.*.vectors")).write_bytes(b"")
    elif harm == "matrix damaged":
        state = own / "card.state"
        state.write_bytes(state.read_bytes().replace(b"civitai:4", b"civitai:5", 1))
    again = opened(tmp_path)
    assert len(again.fingerprints("title")) == 30
    again.write([item(31)], unit("print-31"))
    assert again.mark == ("" if "matrix" in harm else "seven")
    again.close()
    assert len(agree(tmp_path)) == (32 if harm == "chroma has others" else 31)


def test_a_cache_of_another_revision_takes_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openings: list[str]
) -> None:
    index = opened(tmp_path)
    fill(index)
    index.set_mark("seven")
    own = cache_of(tmp_path)
    saved = {path.name: path.read_bytes() for path in own.glob("*.state")}
    index.write([item(3, fingerprint="new"), item(77)], unit("new", "print-77"))
    index.remove([AdapterKey.civitai(4)])
    index.close()
    for name, content in saved.items():
        (own / name).write_bytes(content)
    taken: list[str] = []
    fetch = ChromaHome.fetch

    def counted(home: ChromaHome, view: View, keys: Sequence[str]) -> Iterator[tuple[Any, Matrix]]:
        taken.extend(keys)
        return fetch(home, view, keys)

    monkeypatch.setattr(ChromaHome, "fetch", counted)
    again = opened(tmp_path)
    assert taken == ["civitai:3", "civitai:77"]
    assert len(again.fingerprints("card")) == 30
    assert again.fingerprints("card")[AdapterKey.civitai(3)] == "new"
    assert AdapterKey.civitai(4) not in again.fingerprints("title")
    again.close()
    assert agree(tmp_path) == again.fingerprints("card")
    openings.clear()
    opened(tmp_path)
    assert openings == []


def test_without_chroma_an_unfinished_round_is_restored_from_the_cache(tmp_path: Path) -> None:
    index = opened(tmp_path / "running")
    fill(index)
    index.set_mark("seven")
    index.write([item(77)], unit("print-77"))
    stopped = tmp_path / "stopped"
    shutil.copytree(tmp_path / "running", stopped)
    index.close()
    garbage(stopped / "chroma")
    again = opened(stopped)
    assert [note.code for note in again.notes] == ["vectors_moved_aside"]
    assert again.mark == "seven"
    again.write([item(78)], unit("print-78"))
    again.close()
    assert len(agree(stopped)) == 31


def test_many_new_vectors_are_saved_within_a_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openings: list[str]
) -> None:
    monkeypatch.setattr("stylus_ext.catalogue.vectors.index._UNSAVED", 50)
    index = opened(tmp_path)
    fill(index, 26)
    openings.clear()
    opened(tmp_path)
    assert openings == []
    index.close()


def test_a_change_that_failed_is_repaired_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened(tmp_path)
    fill(index)

    def full(*_: object) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as patched:
        patched.setattr(Rows, "append", full)
        with pytest.raises(OSError, match="no space"):
            index.write([item(77)], unit("print-77"))
    index.set_mark("seven")
    assert AdapterKey.civitai(77) not in index.fingerprints("card")
    index.write([item(78)], unit("print-78"))
    index.close()
    assert len(agree(tmp_path)) == 32


def test_a_folder_of_the_old_format_is_taken_over(tmp_path: Path) -> None:
    index = opened(tmp_path)
    fill(index)
    index.set_mark("seven")
    index.close()
    own = cache_of(tmp_path)
    for path in own.iterdir():
        if path.name != "about.json":
            path.unlink()
    numbers = [*range(1, 30), 77]
    batch = {
        "keys": [f"civitai:{number}" for number in numbers],
        "families": ["sd1"] * 30,
        "prints": [f"print-{number}" for number in numbers],
    }
    write_old_cache(own, "card", batch)
    (own / "mark.json").write_text('{"mark": "seven"}')
    (own / "pending.json").write_text('{"card": ["civitai:30", "civitai:77"]}')
    again = opened(tmp_path)
    assert again.mark == ""
    again.close()
    assert len(agree(tmp_path)) == 30
    assert len(list(own.iterdir())) == 6


def garbage(chroma: Path) -> None:
    (chroma / "chroma.sqlite3").write_bytes(b"this is no database" * 500)


def halved(chroma: Path) -> None:
    database = chroma / "chroma.sqlite3"
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])


def another_version(chroma: Path) -> None:
    connection = sqlite3.connect(chroma / "chroma.sqlite3")
    connection.execute("update migrations set hash = 'of another version'")
    connection.commit()
    connection.close()


def broken_graph(chroma: Path) -> None:
    graphs = [path for path in chroma.glob("*/*") if path.suffix in (".bin", ".pickle")]
    assert graphs
    for path in graphs:
        path.write_bytes(b"no")


def old_format(chroma: Path) -> None:
    shutil.rmtree(chroma)
    chroma.mkdir()
    (chroma / "chroma-embeddings.parquet").write_bytes(b"PAR1")


@pytest.mark.parametrize("harm", [garbage, halved, another_version, broken_graph, old_format])
def test_a_chroma_that_cannot_be_read_is_moved_aside_and_restored(
    tmp_path: Path, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylus_ext.catalogue.vectors.chroma._SYNC_THRESHOLD", 8)
    index = opened(tmp_path)
    fill(index)
    index.set_mark("seven")
    index.close()
    harm(tmp_path / "chroma")
    again = opened(tmp_path)
    assert len(again.search("card", unit("print-3"), 5)[0]) == 5
    again.write([item(31)], unit("print-31"))
    assert [note.code for note in again.notes] == ["vectors_moved_aside"]
    assert "restored" in again.notes[0].text
    assert any((tmp_path / "chroma.set-aside-1").iterdir())
    assert again.mark == "seven"
    again.close()
    assert len(agree(tmp_path)) == 31


def test_what_cannot_be_written_moves_nothing_aside(tmp_path: Path) -> None:
    index = opened(tmp_path)
    fill(index)
    odd = VectorItem(AdapterKey("path", "\udcff/x"), "card", "sd15", "p")
    for _ in range(2):
        with pytest.raises(StoreProblem):
            index.write([odd], unit("print-3"))
        index.close()
        index = opened(tmp_path)
        assert not index.notes
    assert not list(tmp_path.glob("chroma.set-aside-*"))
    index.close()
    assert len(agree(tmp_path)) == 30


def test_with_both_lost_everything_is_made_anew_and_said(tmp_path: Path) -> None:
    index = opened(tmp_path)
    fill(index)
    index.set_mark("seven")
    index.close()
    shutil.rmtree(cache_of(tmp_path))
    garbage(tmp_path / "chroma")
    again = opened(tmp_path)
    assert again.fingerprints("card") == {}
    assert again.mark == ""
    assert "made anew" in again.notes[0].text
    fill(again, 2)
    again.close()
    garbage(tmp_path / "chroma")
    once_more = opened(tmp_path)
    assert (tmp_path / "chroma.set-aside-2").exists()
    once_more.remove([AdapterKey.civitai(1)])
    once_more.close()
    assert len(agree(tmp_path)) == 1


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "chroma").write_text("a file")
    index = opened(tmp_path)
    assert index.notes[0].code == "vectors_moved_aside"
    fill(index, 2)
    index.close()
    assert len(agree(tmp_path)) == 2
    (tmp_path / "taken").write_text("x")
    with pytest.raises(StoreProblem, match="taken"):
        opened(tmp_path / "taken")


def test_a_server_that_is_away_leaves_the_searching(tmp_path: Path) -> None:
    index = ChromaIndex(tmp_path, "bag", WIDE, url="http://127.0.0.1:9")
    assert [note.code for note in index.notes] == ["vectors_unavailable"]
    assert index.search("card", unit("x"), 3) == [[]]
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        index.write([item(1)], unit("x"))
    assert index.fingerprints("card") == {}
    with pytest.raises(InvalidInput, match="address of a Chroma server"):
        ChromaIndex(tmp_path, "bag", WIDE, url="chroma.example")


def test_chromas_index_finds_nearly_all(tmp_path: Path) -> None:
    index = ChromaIndex(tmp_path, "bag", 64, exact_below=1000)
    vectors, asked = clustered(3000, 64), clustered(20, 64, 7)
    items = [item(number, "card", ("sd1", "flux")[number % 2]) for number in range(3000)]
    index.write(items, vectors)
    index.set_mark("all")
    exactly = ChromaIndex(tmp_path, "bag", 64)
    for families in (None, frozenset({"flux"})):
        true = exactly.search("card", asked, 150, families)
        found = index.search("card", asked, 150, families)
        shared = [len(set(one) & set(other)) / 150 for one, other in zip(found, true, strict=True)]
        sys.stdout.write(
            f"recall@150 of Chroma's index over 3,000, families {families}: {np.mean(shared):.4f}\n"
        )
        assert np.mean(shared) > 0.9
    index.close()


def test_without_chroma_a_big_index_is_searched_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened(tmp_path)
    fill(index)
    index.close()
    big = opened(tmp_path, exact_below=10)

    def away(*_: object, **__: object) -> None:
        raise OSError("no answer")

    monkeypatch.setattr(chromadb, "PersistentClient", away)
    assert big.search("card", unit("print-3"), 1)[0][0].key == AdapterKey.civitai(3)


def test_searches_run_beside_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylus_ext.catalogue.vectors.matrix._FEW", 5)
    index = opened(tmp_path)
    fill(index, 50)
    wrong: list[object] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            hits = index.search("card", unit("print-3", "print-50"), 5)
            if (
                hits[0][0].key != AdapterKey.civitai(3)
                or index.cosines("card", unit("print-3"), [hits[0][0].key])[0, 0] < 0.999
            ):
                wrong.append(hits)
            stop.wait(0.002)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for turn in range(6):
        batch = [item(number, fingerprint=f"{turn}-{number}") for number in range(100, 120)]
        index.write(batch, made(batch))
        index.set_mark(str(turn))
        index.remove([AdapterKey.civitai(number) for number in range(110, 115)])
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    index.close()
    assert len(agree(tmp_path)) == 65
