from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import RLock

import pytest

from stylus_ext.catalogue.embed import EmbedCatalogue
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refresh import Ingest, RefreshCatalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile
from stylus_ext.core.entry import VIEWS
from tests.fakes import BagEmbedder, MemoryIndex, Watch, make_card


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    store = SqliteStore(tmp_path)
    embed = EmbedCatalogue(store, MemoryIndex(), BagEmbedder())
    yield Ingest(store, RefreshCatalogue(store, CardRefiner()), embed, RLock(), store.memory)
    store.close()


def cards(number: int) -> list[AdapterCard]:
    return [
        make_card(place, f"Adapter {place}", source="civitai", text="A wet street.")
        for place in range(1, number + 1)
    ]


def test_cards_become_entries_with_vectors(ingest: Ingest) -> None:
    assert ingest.take(cards(3)) == 3 * len(VIEWS)
    assert len(ingest.store.read([card.key for card in cards(3)])) == 3
    assert ingest.embed(Watch()) == 0, "nothing was left to embed"


def test_only_other_texts_get_other_vectors(ingest: Ingest) -> None:
    first, second = cards(2)
    ingest.take([first, second])
    assert ingest.take(
        [replace(first, downloads=7), replace(second, downloads=8, name="Another")]
    ) == len(VIEWS)
    assert ingest.store.read([first.key])[first.key].card.downloads == 7
    assert ingest.take([replace(first, base_model="Pony")]) == len(VIEWS), (
        "a vector is searched by family"
    )
    assert ingest.embed(Watch()) == 0


def test_what_is_withdrawn_goes_unless_the_user_has_it(ingest: Ingest) -> None:
    mine, other = cards(2)
    ingest.take([mine, other])
    entry = ingest.store.read([mine.key])[mine.key]
    ingest.store.write([replace(entry, files=(LocalFile("mine.safetensors", "mine", 5, 5),))])
    assert ingest.withdraw([mine.key, other.key, AdapterKey.civitai(99)]) == 1
    assert list(ingest.store.read([mine.key, other.key])) == [mine.key]
    ingest.embed(Watch())
    assert ingest.embed.is_current()


def test_the_vectors_that_a_kill_prevented_are_made_afterwards(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(keys: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EmbedCatalogue, "embed_now", lambda self, keys: killed(keys))
        with pytest.raises(KeyboardInterrupt):
            ingest.take(cards(3))
    assert ingest.embed(Watch()) == 3 * len(VIEWS)


def test_mending_makes_entries_of_what_was_kept(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: SqliteStore, entries: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest.take(cards(3))
    keys = [card.key for card in cards(3)]
    assert ingest.store.read(keys) == {}
    ingest.finish_interrupted()
    assert len(ingest.store.read(keys)) == 3
    assert ingest.memory.remembered("taking") == ""
    ingest.finish_interrupted()
