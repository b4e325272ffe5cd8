from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import RLock
from typing import Any, cast

import pytest

from stylus_ext.catalogue.on_disk import NamesOnDisk, OnDisk
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refresh import HashFiles, RefreshCatalogue
from stylus_ext.catalogue.sources.local.scan import LoraFolder, digests_of
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import Entry
from stylus_ext.core.ports import Change, Sighting, Store
from tests.fakes import Watch, make_card, make_entry
from tests.lora_files import write_lora


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "data")
    yield store
    store.close()


def at(path: str) -> LocalFile:
    return LocalFile(path, Path(path).stem, 1, 1)


def test_what_is_on_disk_is_known_by_its_stem(store: SqliteStore) -> None:
    store.write([make_entry(1, files=(at("/loras/fox.safetensors"),)), make_entry(2)])
    assert OnDisk(store)() == {AdapterKey.civitai(1): "fox"}


def test_a_new_file_is_seen_without_asking_twice(store: SqliteStore) -> None:
    on_disk = OnDisk(store)
    assert on_disk() == {}
    store.write([make_entry(1, files=(at("/loras/fox.safetensors"),))])
    assert on_disk() == {AdapterKey.civitai(1): "fox"}


def test_only_the_folders_asked_for_count(store: SqliteStore) -> None:
    store.write(
        [
            make_entry(1, files=(at("/a/fox.safetensors"),)),
            make_entry(2, files=(at("/ab/owl.safetensors"),)),
        ]
    )
    assert OnDisk(store)(["/a"]) == {AdapterKey.civitai(1): "fox"}
    assert OnDisk(store)(["/a", "/ab"]) == {
        AdapterKey.civitai(1): "fox",
        AdapterKey.civitai(2): "owl",
    }


def test_of_two_files_with_one_stem_one_is_listed_as_in_the_host(store: SqliteStore) -> None:
    store.write(
        [
            make_entry(1, files=(at("/l/z/fox.safetensors"),)),
            make_entry(2, files=(at("/l/a/fox.safetensors"),)),
        ]
    )
    assert OnDisk(store)() == {AdapterKey.civitai(2): "fox"}


def test_hashing_finds_out_that_a_file_is_a_known_adapter(
    store: SqliteStore, tmp_path: Path
) -> None:
    folder = tmp_path / "loras"
    file = write_lora(folder / "renamed.safetensors")
    refresh = RefreshCatalogue(store, CardRefiner())
    refresh(LoraFolder([folder]), Watch())
    digest = digests_of(file, Watch()).sha256
    known = make_card(
        7, "Watercolor Foxes", text="Draws foxes.", equivalents=(AdapterKey.sha256(digest),)
    )
    refresh.take([Sighting(card=known)])
    assert len(store.read([AdapterKey.civitai(7)])[AdapterKey.civitai(7)].files) == 0
    hash_files = HashFiles(
        store, refresh, lambda each, progress: digests_of(Path(each.path), progress), RLock()
    )
    assert hash_files(Watch()) == 1
    entry = store.read([AdapterKey.civitai(7)])[AdapterKey.civitai(7)]
    assert entry.key == AdapterKey.path("renamed.safetensors")
    assert entry.stem == "renamed"
    assert "foxes" in entry.text
    assert hash_files(Watch()) == 0
    assert refresh(LoraFolder([folder]), Watch()).written == 0


class Counting(SqliteStore):
    """A store that counts the entries which it reads."""

    read_so_far = 0

    def read(self, keys: Iterable[AdapterKey]) -> dict[AdapterKey, Entry]:
        found = super().read(keys)
        self.read_so_far += len(found)
        return found

    def changes(self, since: int) -> Iterator[Change]:
        for change in super().changes(since):
            self.read_so_far += 1
            yield change


class Replaceable:
    """A store that another one takes the place of."""

    def __init__(self, store: Counting) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class TestNamesOnDisk:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Counting]:
        store = Counting(tmp_path / "data")
        store.write(
            [
                make_entry(
                    1,
                    files=(at("/l/fox.safetensors"), at("/l/fox copy.safetensors")),
                    alias="foxes",
                    auto_v3="0123456789ab",
                ),
                make_entry(2, files=(at("/l/owl.safetensors"),), alias="birds"),
                make_entry(3, alias="bees"),
            ]
        )
        yield store
        store.close()

    def test_stems_aliases_and_hashes_of_what_is_on_disk(self, store: Counting) -> None:
        names = NamesOnDisk(store)()
        assert {
            name: names.key(name) for name in ("fox", "fox copy", "owl", "birds", "foxes", "bees")
        } == {
            "fox": AdapterKey.civitai(1),
            "fox copy": AdapterKey.civitai(1),
            "owl": AdapterKey.civitai(2),
            "birds": AdapterKey.civitai(2),
            "foxes": None,
            "bees": None,
        }
        assert names.key("foxes", "0123456789ab") == AdapterKey.civitai(1)

    def test_only_those_that_are_asked_for(self, store: Counting) -> None:
        on_disk = NamesOnDisk(store)
        assert (
            on_disk(frozenset({AdapterKey.civitai(1), AdapterKey.civitai(9)})).key("birds") is None
        )
        assert on_disk(frozenset({AdapterKey.civitai(2)})).key("birds") == AdapterKey.civitai(2)
        assert on_disk(frozenset()).key("birds") is None
        assert on_disk(frozenset(map(AdapterKey.civitai, range(9)))) is on_disk()

    def test_what_changed_is_read_and_nothing_else(self, store: Counting) -> None:
        on_disk = NamesOnDisk(store)
        assert on_disk() is on_disk()
        assert store.read_so_far == 2
        store.write(
            [
                make_entry(2, files=(at("/l/owl.safetensors"),), alias="owls"),
                make_entry(3, files=(at("/l/bee.safetensors"),), alias="bees"),
            ]
        )
        names = on_disk()
        assert (names.key("birds"), names.key("owls"), names.key("bees")) == (
            None,
            AdapterKey.civitai(2),
            AdapterKey.civitai(3),
        )
        assert store.read_so_far == 4
        store.remove([AdapterKey.civitai(2)])
        store.write([make_entry(3, alias="bees")])
        names = on_disk()
        assert (names.key("owl"), names.key("owls"), names.key("bees"), names.key("fox")) == (
            None,
            None,
            None,
            AdapterKey.civitai(1),
        )

    def test_a_store_that_was_made_anew_is_read_anew(self, store: Counting, tmp_path: Path) -> None:
        place = Replaceable(store)
        on_disk = NamesOnDisk(cast(Store, place))
        on_disk()
        other = Counting(tmp_path / "other")
        other.write([make_entry(5, files=(at("/l/cat.safetensors"),), alias="cats")])
        place.store = other
        assert (on_disk().key("cats"), on_disk().key("fox")) == (AdapterKey.civitai(5), None)
        other.close()
