"""Probes in the store: kept with the entry, for the file that was measured, in older catalogues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.errors import InvalidInput
from tests.catalogue.store.test_opening import as_schema_6, opened, raw
from tests.fakes import make_card, make_entry, make_probe

ONE, TWO = AdapterKey.civitai(1), AdapterKey.civitai(2)
FILE = LocalFile("/a/fox.safetensors", "fox", 100, 1, sha256="a" * 64)
PROBE = make_probe(size=100, sha256="a" * 64, breaks_at=1.25, weight=0.7, preview="b.jpg")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened_store = SqliteStore(tmp_path)
    opened_store.write([make_entry(1, "Fox", files=(FILE,)), make_entry(2, "Elk")])
    yield opened_store
    opened_store.close()


def test_a_probe_is_read_with_its_entry_and_changes_the_revision(store: SqliteStore) -> None:
    assert store.read([ONE])[ONE].probe is None
    before = store.revision
    store.probes.keep(ONE, PROBE)
    assert store.revision > before
    assert store.read([ONE])[ONE].probe == PROBE
    assert [change.entry and change.entry.probe for change in store.changes(before)] == [PROBE]
    assert store.read([TWO])[TWO].probe is None
    again = replace(PROBE, strength=0.9)
    store.probes.keep(ONE, again)
    assert store.read([ONE])[ONE].probe == again


def test_a_probe_survives_a_new_reading_of_the_card(store: SqliteStore) -> None:
    store.probes.keep(ONE, PROBE)
    store.write([make_entry(1, "Fox of another text", files=(FILE,))])
    assert store.read([ONE])[ONE].probe == PROBE


def test_a_probe_of_another_file_does_not_count(store: SqliteStore) -> None:
    store.probes.keep(ONE, PROBE)
    for other in (replace(FILE, size=99), replace(FILE, sha256="b" * 64)):
        store.write([make_entry(1, "Fox", files=(other,))])
        assert store.read([ONE])[ONE].probe is None
    store.write([make_entry(1, "Fox", files=(replace(FILE, sha256=None),))])
    assert store.read([ONE])[ONE].probe == PROBE


def test_a_probe_outlives_its_entry_and_moves_with_its_keys(store: SqliteStore) -> None:
    store.probes.keep(ONE, PROBE)
    store.remove([ONE])
    store.write([make_entry(1, "Fox", files=(FILE,))])
    assert store.read([ONE])[ONE].probe == PROBE
    store.keep([make_card(2, "Elk")])
    store.unite(TWO, ONE)
    assert store.read([TWO])[TWO].probe == PROBE


def test_there_is_no_probe_of_what_is_unknown(store: SqliteStore) -> None:
    with pytest.raises(InvalidInput):
        store.probes.keep(AdapterKey.civitai(9), PROBE)


def test_an_older_catalogue_takes_probes(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.write([make_entry(1, "Fox", files=(FILE,))])
    connection = raw(tmp_path)
    as_schema_6(connection)
    connection.close()
    with opened(tmp_path) as store:
        store.probes.keep(ONE, PROBE)
    with opened(tmp_path) as store:
        assert store.read([ONE])[ONE].probe == PROBE
