"""Lent vectors answer as the index's own would, until the encoder makes its own; nothing of them is
in Chroma.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stylus_ext.catalogue.vectors import ChromaIndex, ImportedIndex, LateIndex
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import VIEWS
from stylus_ext.core.errors import InvalidInput, StoreProblem
from stylus_ext.core.importing import ImportedVector
from stylus_ext.core.ports import Matrix, VectorItem
from tests.vectors import write_old_cache

WIDTH = 16


def unit(rows: int, seed: int) -> Matrix:
    made = np.random.default_rng(seed).standard_normal((rows, WIDTH)).astype(np.float32)
    vectors: Matrix = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return vectors


def items(*numbers: int, family: str = "sd1") -> list[ImportedVector]:
    return [
        ImportedVector(AdapterKey.civitai(number), family, (f"t{number}", f"c{number}"))
        for number in numbers
    ]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ImportedIndex]:
    opened = opened_at(tmp_path)
    yield opened
    opened.close()


def opened_at(folder: Path) -> ImportedIndex:
    return ImportedIndex(
        ChromaIndex(folder / "vectors", "encoder", WIDTH), folder / "vectors" / "lent", WIDTH
    )


def test_they_are_found_in_every_view(index: ImportedIndex) -> None:
    vectors = unit(3, 1)
    index.add_imported(items(1, 2, 3), vectors)
    for place, view in enumerate(VIEWS):
        assert [hit.key for hit in index.search(view, vectors[1:2], 1)[0]] == [
            AdapterKey.civitai(2)
        ]
        assert index.fingerprints(view)[AdapterKey.civitai(3)] == ("t3", "c3")[place]
        near = index.cosines(view, vectors[:1], [AdapterKey.civitai(1), AdapterKey.civitai(9)])
        assert np.allclose(near, [[1.0, 0.0]], atol=1e-5)
    assert len(index) == 3
    assert set(index.published()) == {AdapterKey.civitai(number) for number in (1, 2, 3)}


def test_beside_the_indexs_own_they_are_ranked_together(index: ImportedIndex) -> None:
    vectors = unit(40, 2)
    index.add_imported(items(*range(20)), vectors[:20])
    own = [
        VectorItem(AdapterKey.civitai(number), "card", "sdxl", "own") for number in range(20, 40)
    ]
    index.write(own, vectors[20:])
    query = unit(1, 3)
    expected = sorted(range(40), key=lambda number: -float(vectors[number] @ query[0]))[:7]
    assert [int(hit.key.value) for hit in index.search("card", query, 7)[0]] == expected
    assert all(
        int(hit.key.value) < 20 for hit in index.search("card", query, 40, frozenset({"sd1"}))[0]
    )
    assert len(index.search("title", query, 40)[0]) == 20


def test_the_encoders_own_counts_from_then_on(index: ImportedIndex, tmp_path: Path) -> None:
    vectors, own = unit(2, 4), unit(1, 5)
    index.add_imported(items(1, 2), vectors)
    one = AdapterKey.civitai(1)
    index.write([VectorItem(one, "card", "sd1", "mine")], own)
    for each in (index, opened_at(tmp_path)):
        assert each.fingerprints("card")[one] == "mine"
        assert each.fingerprints("title")[one] == "t1"
        assert [hit.cosine for hit in each.search("card", own, 5)[0] if hit.key == one] == [
            pytest.approx(1.0, abs=1e-5)
        ]
        assert each.cosines("card", own, [one])[0, 0] == pytest.approx(1.0, abs=1e-5)
        assert each.cosines("title", vectors[:1], [one])[0, 0] == pytest.approx(1.0, abs=1e-5)
    index.add_imported(items(1), vectors[:1])
    assert index.fingerprints("card")[one] == "c1"
    assert [hit.key for hit in index.search("card", vectors[:1], 1)[0]] == [one]


def test_what_is_removed_is_gone(index: ImportedIndex, tmp_path: Path) -> None:
    vectors = unit(3, 6)
    index.add_imported(items(1, 2, 3), vectors)
    index.remove([AdapterKey.civitai(2), AdapterKey.civitai(77)])
    index.set_mark("here")
    for each in (index, opened_at(tmp_path)):
        assert set(each.fingerprints("title")) == {AdapterKey.civitai(1), AdapterKey.civitai(3)}
        assert AdapterKey.civitai(2) not in [
            hit.key for hit in each.search("title", vectors[1:2], 3)[0]
        ]
        assert (each.mark, each.notes) == ("here", ())


def test_none_is_in_chroma(index: ImportedIndex, tmp_path: Path) -> None:
    index.add_imported(items(1, 2), unit(2, 7))
    index.close()
    bare = ChromaIndex(tmp_path / "vectors", "encoder", WIDTH)
    assert bare.fingerprints("card") == {}
    bare.close()


def test_questions_without_a_direction_find_none_of_them(index: ImportedIndex) -> None:
    index.add_imported(items(1), unit(1, 8))
    assert index.search("card", np.zeros((1, WIDTH), dtype=np.float32), 3)[0][0].cosine == 0


def test_an_encoder_that_never_answered_finds_none_of_them(
    index: ImportedIndex, tmp_path: Path
) -> None:
    index.add_imported(items(1), unit(1, 8))
    unknown = LateIndex(lambda: 0, lambda: pytest.fail("its length is unknown"))
    late = ImportedIndex(unknown, tmp_path / "vectors" / "lent", WIDTH)
    queries = np.zeros((1, 1), dtype=np.float32)
    assert len(late) == 1
    assert late.search("card", queries, 3) == [[]]
    assert late.cosines("card", queries, [AdapterKey.civitai(1)]).tolist() == [[0.0]]


def test_one_vector_for_each_entry(index: ImportedIndex) -> None:
    with pytest.raises(InvalidInput, match="2"):
        index.add_imported(items(1, 2), unit(1, 9))


def test_an_empty_index_finds_nothing(index: ImportedIndex) -> None:
    assert index.search("card", unit(2, 1), 3) == [[], []]
    assert index.cosines("card", unit(1, 1), [AdapterKey.civitai(1)]).tolist() == [[0.0]]


def test_lent_vectors_of_the_old_format_are_kept(tmp_path: Path) -> None:
    batch = {
        "keys": ["civitai:1", "civitai:2"],
        "families": ["sd1", "flux"],
        "prints": ["t1 c1", "t2 c2"],
    }
    write_old_cache(tmp_path / "vectors" / "lent", "lent", batch, wide=WIDTH)
    for _ in range(2):
        index = opened_at(tmp_path)
        assert index.published()[AdapterKey.civitai(2)] == ("t2", "c2")
        index.close()
    assert not list(tmp_path.glob("vectors/lent/*.rows"))


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "lent").write_text("a file")
    with pytest.raises(StoreProblem, match="lent"):
        ImportedIndex(ChromaIndex(tmp_path / "vectors", "encoder", WIDTH), tmp_path / "lent", WIDTH)
