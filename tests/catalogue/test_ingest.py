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
def shop(tmp_path: Path) -> Iterator[Ingest]:
    store = SqliteStore(tmp_path)
    embed = EmbedCatalogue(store, MemoryIndex(), BagEmbedder())
    yield Ingest(store, RefreshCatalogue(store, CardRefiner()), embed, RLock(), store.memory)
    store.close()


def cards(number: int) -> list[AdapterCard]:
    return [
        make_card(place, f"Adapter {place}", source="civitai", text="A wet street.")
        for place in range(1, number + 1)
    ]


def test_cards_become_entries_with_vectors(shop: Ingest) -> None:
    assert shop.take(cards(3)) == 3 * len(VIEWS)
    assert len(shop.store.read([card.key for card in cards(3)])) == 3
    assert shop.embed(Watch()) == 0, "nothing was left to embed"


def test_only_other_texts_get_other_vectors(shop: Ingest) -> None:
    first, second = cards(2)
    shop.take([first, second])
    assert shop.take(
        [replace(first, downloads=7), replace(second, downloads=8, name="Another")]
    ) == len(VIEWS)
    assert shop.store.read([first.key])[first.key].card.downloads == 7
    assert shop.take([replace(first, base_model="Pony")]) == len(VIEWS), (
        "a vector is searched by family"
    )
    assert shop.embed(Watch()) == 0


def test_what_is_withdrawn_goes_unless_the_user_has_it(shop: Ingest) -> None:
    mine, other = cards(2)
    shop.take([mine, other])
    entry = shop.store.read([mine.key])[mine.key]
    shop.store.write([replace(entry, files=(LocalFile("mine.safetensors", "mine", 5, 5),))])
    assert shop.withdraw([mine.key, other.key, AdapterKey.civitai(99)]) == 1
    assert list(shop.store.read([mine.key, other.key])) == [mine.key]
    shop.embed(Watch())
    assert shop.embed.in_step()


def test_the_vectors_that_a_kill_prevented_are_made_afterwards(
    shop: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(keys: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EmbedCatalogue, "these", lambda self, keys: killed(keys))
        with pytest.raises(KeyboardInterrupt):
            shop.take(cards(3))
    assert shop.embed(Watch()) == 3 * len(VIEWS)


def test_mending_makes_entries_of_what_was_kept(
    shop: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: SqliteStore, entries: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.take(cards(3))
    keys = [card.key for card in cards(3)]
    assert shop.store.read(keys) == {}
    shop.mend()
    assert len(shop.store.read(keys)) == 3
    assert shop.memory.remembered("taking") == ""
    shop.mend()
