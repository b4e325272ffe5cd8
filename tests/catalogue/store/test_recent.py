"""What was read lately is never older than the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.store.entries import EntryCache
from stylus_ext.catalogue.store.opening import Opening, open_catalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import Edits
from tests.fakes import make_entry

KEYS = [AdapterKey.civitai(number) for number in range(4)]
WHAT = st.sampled_from(["write", "edit", "unite", "remove", "rob", "part", "read"])
STEPS = st.lists(st.tuples(WHAT, st.integers(0, 3), st.integers(0, 3)), max_size=14)


def test_only_so_many_are_held_and_those_read_last_stay(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.write(make_entry(number, f"Entry {number}") for number in range(10))
    store.close()
    database, _ = open_catalogue(Opening(tmp_path))
    recent = EntryCache(most=3)
    with database.snapshot() as connection:
        first = recent.entries_at(connection, ["civitai:0"])["civitai:0"]
        recent.entries_at(connection, ["civitai:1", "civitai:2", "civitai:77"])
        assert recent.entries_at(connection, ["civitai:0"])["civitai:0"] is first
        last = recent.entries_at(connection, ["civitai:3", "civitai:0"])
        assert last["civitai:0"] is first
        recent.entries_at(connection, [f"civitai:{number}" for number in range(4, 10)])
        again = recent.entries_at(connection, ["civitai:0"])["civitai:0"]
    database.close()
    assert again == first
    assert again is not first


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_reading_says_the_same_as_a_store_that_remembers_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("recent")
    store = SqliteStore(folder)
    try:
        store.write(make_entry(number, f"Entry {number}") for number in range(4))
        for turn, (what, one, two) in enumerate(steps):
            store.read(KEYS)
            take(store, what, KEYS[one], KEYS[two], turn)
        said = store.read(KEYS)
    finally:
        store.close()
    fresh = SqliteStore(folder)
    try:
        assert fresh.read(KEYS) == said
    finally:
        fresh.close()


def take(store: SqliteStore, what: str, one: AdapterKey, two: AdapterKey, turn: int) -> None:
    entry = make_entry(int(one.value), f"Turn {turn}")
    if what == "write":
        store.write([entry])
    if what == "rob":
        store.write([replace(entry, files=(LocalFile("a/only.safetensors", "only", 1, turn),))])
    if what == "remove":
        store.remove([one])
    if what == "part":
        store.part(one, [], [entry])
    known = store.resolve([one, two])
    if what == "edit" and one in known:
        store.edit(one, Edits(weight=turn / 10))
    if what == "unite" and one in known:
        store.unite(one, two)
