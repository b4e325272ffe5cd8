"""What every VectorIndex does: the fake, Chroma with exact search, Chroma with its own index, and
beside imported vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stylus_ext.catalogue.vectors import ChromaIndex, ImportedIndex
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.importing import ImportedVector
from stylus_ext.core.ports import VectorIndex
from tests.fakes import MemoryIndex
from tests.vectors import WIDE, item, made, unit

FAMILIES = ("sd1", "sdxl", "flux")


@pytest.fixture(params=["memory", "exact", "by chroma", "imported"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorIndex]:
    if request.param == "memory":
        yield MemoryIndex()
        return
    chroma = ChromaIndex(
        tmp_path, "bag", WIDE, exact_below=0 if request.param == "by chroma" else 500_000
    )
    if request.param != "imported":
        yield chroma
        chroma.close()
        return
    opened = ImportedIndex(chroma, tmp_path / "lent", WIDE)
    strangers = [
        ImportedVector(AdapterKey.civitai(9000 + at), "strange", ("t", "c")) for at in range(5)
    ]
    opened.add_imported(strangers, unit(*(f"stranger {at}" for at in range(5))))
    opened.remove([one.key for one in strangers])  # imported vectors leave nothing behind
    yield opened
    opened.close()


def filled(index: VectorIndex, count: int = 60) -> VectorIndex:
    items = [item(number, family=FAMILIES[number % 3]) for number in range(1, count + 1)]
    index.write(items, made(items))
    return index


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert index.fingerprints("card") == {}
    assert index.search("card", unit("a", "b"), 5) == [[], []]
    assert index.cosines("card", unit("a"), [AdapterKey.civitai(1)]).tolist() == [[0.0]]
    assert index.mark == ""
    index.remove([AdapterKey.civitai(1)])


def test_each_vector_is_its_own_nearest(index: VectorIndex) -> None:
    filled(index)
    for number, hits in zip(
        (3, 17, 60), index.search("card", unit("print-3", "print-17", "print-60"), 4), strict=True
    ):
        assert hits[0].key == AdapterKey.civitai(number)
        assert hits[0].cosine == pytest.approx(1.0, abs=1e-6)
        assert [hit.cosine for hit in hits] == sorted((hit.cosine for hit in hits), reverse=True)
        assert len(hits) == 4


def test_the_order_is_that_of_the_cosines(index: VectorIndex) -> None:
    filled(index)
    query = unit("anything")
    everything = made([item(number) for number in range(1, 61)])
    best = np.argsort(-(everything @ query[0]))[:10] + 1
    assert [hit.key for hit in index.search("card", query, 10)[0]] == [
        AdapterKey.civitai(int(number)) for number in best
    ]


def test_families_are_sifted_before_the_best_are_taken(index: VectorIndex) -> None:
    filled(index)
    hits = index.search("card", unit("print-3"), 20, frozenset({"sd1"}))[0]
    assert len(hits) == 20
    assert {int(hit.key.value) % 3 for hit in hits} == {0}
    both = index.search("card", unit("print-3"), 60, frozenset({"sd1", "flux", "unheard of"}))[0]
    assert len(both) == 40
    assert index.search("card", unit("print-3"), 5, frozenset({"unheard of"})) == [[]]
    assert index.search("card", unit("print-3"), 5, frozenset()) == [[]]


def test_more_than_there_is_gives_what_there_is(index: VectorIndex) -> None:
    filled(index, 5)
    assert len(index.search("card", unit("x"), 100)[0]) == 5
    assert index.search("card", unit("x"), 0) == [[]]


def test_views_do_not_mix(index: VectorIndex) -> None:
    index.write([item(1, "card"), item(2, "title")], unit("one", "two"))
    assert index.fingerprints("card") == {AdapterKey.civitai(1): "print-1"}
    assert index.fingerprints("title") == {AdapterKey.civitai(2): "print-2"}
    assert [hit.key.value for hit in index.search("title", unit("one"), 5)[0]] == ["2"]


def test_a_later_vector_replaces_an_earlier_one(index: VectorIndex) -> None:
    filled(index)
    index.write([item(7, family="flux", fingerprint="new")], unit("new"))
    assert index.fingerprints("card")[AdapterKey.civitai(7)] == "new"
    assert len(index.fingerprints("card")) == 60
    assert index.search("card", unit("new"), 1, frozenset({"flux"}))[0][0].key.value == "7"
    assert (
        index.search("card", unit("print-7"), 60)[0].count(
            index.search("card", unit("print-7"), 1)[0][0]
        )
        == 1
    )
    assert index.cosines("card", unit("new"), [AdapterKey.civitai(7)])[0, 0] == pytest.approx(
        1.0, abs=1e-6
    )


def test_removed_is_removed_from_all_views(index: VectorIndex) -> None:
    index.write([item(1, "card"), item(1, "title"), item(2, "card")], unit("a", "b", "c"))
    index.remove(iter([AdapterKey.civitai(1), AdapterKey.civitai(99)]))
    assert list(index.fingerprints("card")) == [AdapterKey.civitai(2)]
    assert index.fingerprints("title") == {}
    assert [hit.key.value for hit in index.search("card", unit("a"), 5)[0]] == ["2"]
    assert index.cosines("card", unit("a"), [AdapterKey.civitai(1)])[0, 0] == 0


def test_cosines_are_by_query_and_key(index: VectorIndex) -> None:
    filled(index)
    keys = [AdapterKey.civitai(number) for number in (5, 999, 8)]
    queries = unit("q", "r", "s", "t")
    wanted = queries @ unit("print-5", "print-8").T
    found = index.cosines("card", queries, keys)
    assert found.shape == (4, 3)
    assert np.allclose(found[:, [0, 2]], wanted, atol=1e-6)
    assert not found[:, 1].any()
    assert index.cosines("card", queries, []).shape == (4, 0)


def test_equal_vectors_come_in_the_order_of_their_keys(index: VectorIndex) -> None:
    numbers = [9, 2, 30, 11, 5]
    index.write([item(number) for number in numbers], np.repeat(unit("same"), 5, axis=0))
    found = [hit.key for hit in index.search("card", unit("same"), 3)[0]]
    assert found == sorted(AdapterKey.civitai(number) for number in numbers)[:3]


def test_any_key_is_carried(index: VectorIndex) -> None:
    keys = [AdapterKey.path('a folder/ö\n\t"狗".safetensors'), AdapterKey.sha256("0a" * 32)]
    index.write([item(1).__class__(key, "card", "", "print") for key in keys], unit("a", "b"))
    assert set(index.fingerprints("card")) == set(keys)
    index.remove(keys[:1])
    assert list(index.fingerprints("card")) == keys[1:]


def test_the_mark_is_kept(index: VectorIndex) -> None:
    index.set_mark("catalogue 7 ö")
    assert index.mark == "catalogue 7 ö"


def test_items_and_vectors_must_be_as_many(index: VectorIndex) -> None:
    with pytest.raises(InvalidInput, match="vector"):
        index.write([item(1)], unit("a", "b"))
    index.write([], np.empty((0, WIDE), dtype=np.float32))
    assert index.fingerprints("card") == {}
