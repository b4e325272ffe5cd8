from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.embed import EmbedCatalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import VIEWS, Edits, embedded_text
from stylus_ext.core.errors import Cancelled, StoreProblem
from stylus_ext.core.ports import Matrix, VectorItem
from tests.fakes import BagEmbedder, MemoryIndex, Watch, make_entry


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path)
    store.write(make_entry(number, f"Fox number {number}") for number in range(1, 6))
    yield store
    store.close()


def test_every_entry_gets_a_vector_of_each_view_once(store: SqliteStore) -> None:
    index, embedder = MemoryIndex(), BagEmbedder()
    embed = EmbedCatalogue(store, index, embedder)
    assert not embed.is_current()
    assert embed(Watch()) == 5 * len(VIEWS)
    assert embed.is_current()
    assert embed(Watch()) == 0
    assert len(embedder.texts) == 5 * len(VIEWS)


def test_only_what_changed_is_embedded_again(store: SqliteStore) -> None:
    index, embedder = MemoryIndex(), BagEmbedder()
    EmbedCatalogue(store, index, embedder)(Watch())
    store.edit(AdapterKey.civitai(3), Edits(text="now it draws whales"))
    store.edit(AdapterKey.civitai(4), Edits(state="never"))
    embedder.texts.clear()
    assert EmbedCatalogue(store, index, embedder)(Watch()) == 1
    assert "whales" in embedder.texts[0]


def test_another_family_is_another_vector(store: SqliteStore) -> None:
    index, embedder = MemoryIndex(), BagEmbedder()
    EmbedCatalogue(store, index, embedder)(Watch())
    entry = store.read([AdapterKey.civitai(2)])[AdapterKey.civitai(2)]
    store.write([replace(entry, family="sdxl")])
    assert EmbedCatalogue(store, index, embedder)(Watch()) == len(VIEWS)
    assert {item.family for (_, key), (item, _) in index.rows.items() if key == entry.key} == {
        "sdxl"
    }


def test_another_encoder_embeds_everything_anew_and_never_mixes(store: SqliteStore) -> None:
    index = MemoryIndex()
    EmbedCatalogue(store, index, BagEmbedder())(Watch())
    before = dict(index.fingerprints("card"))
    assert EmbedCatalogue(store, index, BagEmbedder(name="other"))(Watch()) == 5 * len(VIEWS)
    assert not set(before.values()) & set(index.fingerprints("card").values())


def test_vectors_of_entries_that_are_gone_go_too(store: SqliteStore) -> None:
    index = MemoryIndex()
    embed = EmbedCatalogue(store, index, BagEmbedder())
    embed(Watch())
    store.remove([AdapterKey.civitai(1)])
    embed(Watch())
    assert AdapterKey.civitai(1) not in index.fingerprints("card")
    assert embed.is_current()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from("write family edit state remove".split()), st.integers(1, 6)),
            max_size=4,
        ),
        max_size=6,
    )
)
def test_one_that_goes_on_ends_as_one_that_begins(rounds: list[list[tuple[str, int]]]) -> None:
    """From the second round on only what changed is looked at; what stands in the end is the
    same.
    """
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder))) as store:
        index, embedder = MemoryIndex(), BagEmbedder()
        embed = EmbedCatalogue(store, index, embedder)
        embed(Watch())
        for number, steps in enumerate(rounds):
            for step, place in steps:
                changed(store, step, place, number)
            embed(Watch())
            fresh = MemoryIndex()
            EmbedCatalogue(store, fresh, embedder)(Watch())
            assert {view: index.fingerprints(view) for view in VIEWS} == {
                view: fresh.fingerprints(view) for view in VIEWS
            }


def changed(store: SqliteStore, step: str, place: int, number: int) -> None:
    key = AdapterKey.civitai(place)
    if step == "write":
        store.write([make_entry(place, f"Fox {place}", f"round {number}")])
    elif step == "family":
        store.write([make_entry(place, f"Fox {place}", family="sdxl")])
    elif step == "remove":
        store.remove([key])
    elif key in store.read([key]):
        store.edit(key, Edits(text=f"said in {number}") if step == "edit" else Edits(state="never"))


def test_a_second_round_does_not_look_at_everything(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed = EmbedCatalogue(store, MemoryIndex(), BagEmbedder())
    embed(Watch())
    monkeypatch.delattr(SqliteStore, "text_fingerprints")
    store.write([make_entry(9, "Fox number 9")])
    assert embed(Watch()) == len(VIEWS)
    assert embed.is_current()


def test_a_stop_keeps_what_was_embedded_and_the_next_run_goes_on(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    try:
        store.write(make_entry(number, f"Fox number {number}") for number in range(1, 601))
        index, embedder = MemoryIndex(), BagEmbedder()
        embed = EmbedCatalogue(store, index, embedder)
        with pytest.raises(Cancelled):
            embed(Watch(patience=2))
        done = len(index.rows)
        assert 0 < done < 600 * len(VIEWS)
        assert not embed.is_current()
        assert embed(Watch()) == 600 * len(VIEWS) - done
    finally:
        store.close()


def test_what_is_on_disk_gets_its_vectors_before_what_is_not(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    try:
        store.write(make_entry(number, f"Fox number {number}") for number in range(1, 601))
        mine = [
            replace(
                make_entry(number, f"Own fox {number}"),
                files=(LocalFile(f"own{number}.st", f"own{number}", 9, 9),),
            )
            for number in (601, 602)
        ]
        store.write(mine)
        index = MemoryIndex()
        with pytest.raises(Cancelled):
            EmbedCatalogue(store, index, BagEmbedder())(Watch(patience=1))
        assert {(view, entry.key) for entry in mine for view in VIEWS} == set(index.rows)
    finally:
        store.close()


def many(tmp_path: Path, number: int) -> SqliteStore:
    store = SqliteStore(tmp_path)
    store.write(
        make_entry(place, f"Fox {place}", "word " * (place % 40)) for place in range(1, number + 1)
    )
    return store


def test_what_was_written_before_a_stop_stays_and_is_not_made_again(tmp_path: Path) -> None:
    store, index, embedder = many(tmp_path, 700), MemoryIndex(), BagEmbedder()
    with pytest.raises(Cancelled):
        EmbedCatalogue(store, index, embedder)(Watch(patience=2))
    kept = len(index.rows)
    assert kept == 1024
    embedder.texts.clear()
    assert EmbedCatalogue(store, index, embedder)(Watch()) == 1400 - kept
    assert len(embedder.texts) == 1400 - kept
    assert {key for _, key in index.rows} == {AdapterKey.civitai(place) for place in range(1, 701)}
    store.close()


def test_the_longest_go_together_and_each_vector_is_its_texts(tmp_path: Path) -> None:
    store, index, embedder = many(tmp_path, 700), MemoryIndex(), BagEmbedder()
    EmbedCatalogue(store, index, embedder)(Watch())
    lengths = list(map(len, embedder.texts))
    assert lengths == sorted(lengths, reverse=True)
    for (view, key), (item, vector) in list(index.rows.items())[::97]:
        text = embedded_text(store.read([key])[key], view)
        assert (item.view, item.key) == (view, key)
        assert (BagEmbedder().embed([text])[0] == vector).all()
    store.close()


def test_an_index_that_cannot_write_is_told_and_nothing_is_marked(tmp_path: Path) -> None:
    class Full(MemoryIndex):
        def write(self, items: Sequence[VectorItem], vectors: Matrix) -> None:
            if len(self.rows) >= 512:
                raise StoreProblem("The disk is full.")
            super().write(items, vectors)

    store, index = many(tmp_path, 700), Full()
    embed = EmbedCatalogue(store, index, BagEmbedder())
    with pytest.raises(StoreProblem, match="full"):
        embed(Watch())
    assert len(index.rows) == 512
    assert not embed.is_current()
    store.close()


def test_files_on_disk_go_before_the_longest(tmp_path: Path) -> None:
    store, embedder = many(tmp_path, 30), BagEmbedder()
    store.write(
        [make_entry(99, "Mine", files=(LocalFile("/loras/mine.safetensors", "mine", 5, 1),))]
    )
    EmbedCatalogue(store, MemoryIndex(), embedder)(Watch())
    assert all(text.startswith("Mine") for text in embedder.texts[:2])
    store.close()
