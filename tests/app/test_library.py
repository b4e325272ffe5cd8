from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import RLock

import pytest

from stylus_ext.app.hash_files import HashFiles
from stylus_ext.app.library import OnDisk
from stylus_ext.app.refresh_catalogue import RefreshCatalogue
from stylus_ext.backends.lora_folder.hashing import sha256_of
from stylus_ext.backends.lora_folder.scan import LoraFolder
from stylus_ext.backends.refiners.card import CardRefiner
from stylus_ext.backends.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.ports import Sighting
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
    store.write([make_entry(1, files=(at("/a/fox.safetensors"),)), make_entry(2, files=(at("/ab/owl.safetensors"),))])
    assert OnDisk(store)(["/a"]) == {AdapterKey.civitai(1): "fox"}
    assert OnDisk(store)(["/a", "/ab"]) == {AdapterKey.civitai(1): "fox", AdapterKey.civitai(2): "owl"}


def test_of_two_files_with_one_stem_one_is_listed_as_in_the_host(store: SqliteStore) -> None:
    store.write([make_entry(1, files=(at("/l/z/fox.safetensors"),)), make_entry(2, files=(at("/l/a/fox.safetensors"),))])
    assert OnDisk(store)() == {AdapterKey.civitai(2): "fox"}


def test_hashing_finds_out_that_a_file_is_a_known_adapter(store: SqliteStore, tmp_path: Path) -> None:
    folder = tmp_path / "loras"
    file = write_lora(folder / "renamed.safetensors")
    refresh = RefreshCatalogue(store, CardRefiner())
    refresh(LoraFolder([folder]), Watch())
    digest = sha256_of(file, Watch())
    known = make_card(7, "Watercolor Foxes", text="Draws foxes.", equivalents=(AdapterKey.sha256(digest),))
    refresh.take([Sighting(card=known)])
    assert len(store.read([AdapterKey.civitai(7)])[AdapterKey.civitai(7)].files) == 0
    hash_files = HashFiles(store, refresh, lambda each, progress: sha256_of(Path(each.path), progress), RLock())
    assert hash_files(Watch()) == 1
    entry = store.read([AdapterKey.civitai(7)])[AdapterKey.civitai(7)]
    assert entry.key == AdapterKey.path("renamed.safetensors")
    assert entry.stem == "renamed"
    assert "foxes" in entry.text
    assert hash_files(Watch()) == 0
    assert refresh(LoraFolder([folder]), Watch()).written == 0
