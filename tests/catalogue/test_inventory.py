"""Whose the files of a host elsewhere are: by their bytes, then by their name, and never against
what is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.on_disk import (
    Inventories,
    ListedFile,
    NamesOnDisk,
    OnDisk,
    UnknownInventory,
)
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, LocalFile, RemoteFile
from tests.fakes import make_entry

FOX, TREE, LAMP = (AdapterKey.civitai(number) for number in (1, 2, 3))
SUM = "ab" * 32
SHORT = "0123456789ab"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path)
    store.write(
        [
            make_entry(
                1,
                "Fox",
                equivalents=(AdapterKey.sha256(SUM),),
                remote=RemoteFile("fox.safetensors", 5, SUM),
            ),
            make_entry(
                2,
                "Tree",
                family="pony",
                auto_v3=SHORT,
                files=(LocalFile("/l/tree.safetensors", "tree", 5, 1),),
            ),
            make_entry(
                3, "Lamp", files=(LocalFile("/l/lamp.safetensors", "lamp", 5, 1, "cd" * 32),)
            ),
        ]
    )
    yield store
    store.close()


@pytest.fixture
def inventories(store: SqliteStore) -> Inventories:
    return Inventories(store, OnDisk(store).by_type, NamesOnDisk(store))


def reach(inventories: Inventories, *items: ListedFile) -> dict[AdapterKey, str]:
    return dict(inventories.reach(inventories.take(items)))


def test_the_bytes_count_and_the_tag_gets_the_hosts_name(inventories: Inventories) -> None:
    items = (ListedFile("renamed fox", SUM.upper()), ListedFile("my_tree", auto_v3=SHORT + "ffff"))
    assert reach(inventories, *items) == {FOX: "renamed fox", TREE: "my_tree"}


def test_the_name_of_the_engines_file_counts_where_no_bytes_are_known(
    inventories: Inventories,
) -> None:
    assert reach(
        inventories,
        ListedFile("tree"),
        ListedFile("lamp"),
        ListedFile("Lamp"),
        ListedFile("stranger"),
    ) == {TREE: "tree", LAMP: "lamp"}


def test_another_file_of_that_name_is_not_it(inventories: Inventories) -> None:
    assert reach(inventories, ListedFile("lamp", "ef" * 32)) == {}
    assert reach(inventories, ListedFile("tree", auto_v3="ffffffffffff")) == {}
    assert reach(inventories, ListedFile("lamp", "cd" * 32)) == {LAMP: "lamp"}


def test_bytes_come_before_names(inventories: Inventories) -> None:
    """Its own file has the name of another one here."""
    assert reach(
        inventories, ListedFile("lamp", SUM), ListedFile("other", auto_v3=SHORT), ListedFile("tree")
    ) == {FOX: "lamp", TREE: "other"}


@pytest.mark.parametrize(
    ("said", "is_it"),
    [
        ("", True),
        ("sdxl", True),
        ("SDXL 1.0", True),
        ("pony", True),
        ("unknown", True),
        ("illustrious", False),
        ("sd1", False),
        ("flux1", False),
    ],
)
def test_a_family_that_excludes_the_entrys_makes_it_another(
    inventories: Inventories, said: str, is_it: bool
) -> None:
    assert (reach(inventories, ListedFile("tree", family=said)) == {TREE: "tree"}) is is_it
    assert (
        reach(inventories, ListedFile("renamed", auto_v3=SHORT, family=said)) == {TREE: "renamed"}
    ) is is_it


def test_the_same_list_has_the_same_number_in_any_order(inventories: Inventories) -> None:
    one, other = ListedFile("a", SUM), ListedFile("b")
    assert inventories.take([one, other]) == inventories.take([other, one, one])
    assert inventories.take([one]) != inventories.take([one, other])


def test_it_follows_the_catalogue(inventories: Inventories, store: SqliteStore) -> None:
    number = inventories.take([ListedFile("new", "12" * 32)])
    assert inventories.reach(number) == {}
    store.write([make_entry(9, "New", equivalents=(AdapterKey.sha256("12" * 32),))])
    assert inventories.reach(number) == {AdapterKey.civitai(9): "new"}
    store.remove([AdapterKey.civitai(9)])
    assert inventories.reach(number) == {}


def test_a_number_that_nobody_sent_or_that_is_forgotten_is_said(inventories: Inventories) -> None:
    with pytest.raises(UnknownInventory):
        inventories.reach("nonsense")
    first = inventories.take([ListedFile("first")])
    for number in range(40):
        inventories.take([ListedFile(f"other {number}")])
    with pytest.raises(UnknownInventory):
        inventories.reach(first)


LISTS = st.lists(
    st.builds(
        ListedFile,
        st.sampled_from(["fox", "tree", "lamp", "x y", "\ud800", "z\tq"]),
        st.sampled_from(["", SUM, "cd" * 32, "zz", "zz" * 32]),
        st.sampled_from(["", SHORT, "ff"]),
        st.sampled_from(["", "sd1", "pony", "\x00"]),
    ),
    max_size=8,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(items=LISTS)
def test_whatever_is_listed_each_stem_is_one_adapters_and_was_listed(
    inventories: Inventories, items: list[ListedFile]
) -> None:
    found = reach(inventories, *items)
    assert set(found.values()) <= {item.stem for item in items}
    assert len(set(found.values())) == len(found)
