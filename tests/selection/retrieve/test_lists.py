from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.entry import Edits, Entry
from stylus_ext.core.ports import Store
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.selection.lexical.attributes import folder_labels, labels_of, tag_label
from stylus_ext.selection.lexical.catalogue import LexicalCatalogue
from stylus_ext.selection.lexical.index import Labels, LexicalIndex
from stylus_ext.selection.lexical.segment import build
from stylus_ext.selection.retrieve.filters import NEVER_USED, Lists, open_rows
from tests.fakes import make_entry
from tests.selection.retrieve.house import House


def on_disk(number: int, *relative: str, root: str = "/models/Lora", **more: Any) -> Entry:
    """An entry whose files lie there, known by the keys that a folder gives them."""
    files = tuple(
        LocalFile(f"{root}/{path}", path.rpartition("/")[2].removesuffix(".safetensors"), 1, 1)
        for path in relative
    )
    return make_entry(
        number,
        f"Entry {number}",
        files=files,
        equivalents=tuple(map(AdapterKey.path, relative)),
        **more,
    )


def labels(*entries: Entry) -> Labels:
    return LexicalIndex.of([build(entries)]).labels


class TestLabels:
    @pytest.mark.parametrize(
        ("relative", "folder"),
        [
            ("fox.safetensors", "/"),
            ("Animals/fox.safetensors", "/animals"),
            ("a/b/fox.safetensors", "/a/b"),
        ],
    )
    def test_folders_are_relative_to_the_lora_folder(self, relative: str, folder: str) -> None:
        assert list(folder_labels(on_disk(1, relative))) == [folder]

    def test_of_windows_too(self) -> None:
        entry = make_entry(
            1,
            files=(LocalFile(r"D:\sd\Lora\Style\ink.safetensors", "ink", 1, 1),),
            equivalents=(AdapterKey.path("Style/ink.safetensors"),),
        )
        assert list(folder_labels(entry)) == ["/style"]

    def test_the_key_itself_knows_the_place(self) -> None:
        entry = make_entry(
            1,
            key=AdapterKey.path("style/ink.safetensors"),
            files=(LocalFile("/x/style/ink.safetensors", "ink", 1, 1),),
        )
        assert list(folder_labels(entry)) == ["/style"]

    def test_a_key_of_a_file_that_is_gone_places_nothing(self) -> None:
        entry = make_entry(
            1,
            files=(LocalFile("/x/new/ink.safetensors", "ink", 1, 1),),
            equivalents=(AdapterKey.path("old/ink.safetensors"),),
        )
        assert list(folder_labels(entry)) == ["/"]

    def test_kind_and_tags_with_one_spelling(self) -> None:
        entry = make_entry(
            1, kind="character", tags=("Skyreach_Saga", "skyreach  saga", "GIRL", "")
        )
        assert labels_of(entry) == ("=sd1", "#character", "#skyreach saga", "#girl")

    @settings(max_examples=50)
    @given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), max_size=8), st.integers(0, 8))
    def test_joined_is_as_if_made_at_once(self, tags: list[list[str]], cut: int) -> None:
        entries = [make_entry(number, tags=tuple(each)) for number, each in enumerate(tags, 1)]
        whole = labels(*entries)
        parts = LexicalIndex.of([build(entries[:cut]), build(entries[cut:])]).labels
        assert set(whole.names) == set(parts.names)
        for name in whole.names:
            having = [name in labels_of(entry) for entry in entries]
            assert whole.rows_with([name]).tolist() == having
            assert parts.rows_with([name]).tolist() == having
        assert not whole.rows_with([]).any()


def open_index(store: Store, folder: Path) -> LexicalIndex:
    """As another process finds it on disk."""
    LexicalCatalogue(store, folder / "again").current()
    return LexicalCatalogue(store, folder / "again").current()


FOX = on_disk(1, "animals/fox.safetensors", tags=("animal", "fox"), kind="animal")
INK = on_disk(2, "[XL] Styles/ink.safetensors", tags=("style", "manga"))
OLD = on_disk(3, "animals/old/owl.safetensors", tags=("animal",), kind="animal")
BOTH = on_disk(4, "animals/bee.safetensors", "mine/bee.safetensors", kind="animal")
ROOT = on_disk(5, "moss.safetensors", tags=("forest_floor",), kind="background")
AFAR = make_entry(6, "Afar", tags=("animal",), kind="animal")
ALL = (FOX, INK, OLD, BOTH, ROOT, AFAR)


@pytest.mark.parametrize(
    ("lists", "left"),
    [
        (Lists(), [1, 2, 3, 4, 5, 6]),
        (Lists(deny_folders=("animals",)), [2, 4, 5, 6]),
        (Lists(deny_folders=("Animals/",)), [2, 4, 5, 6]),
        (Lists(deny_folders=(r"animals\old",)), [1, 2, 4, 5, 6]),
        (Lists(deny_folders=("*/old",)), [1, 2, 4, 5, 6]),
        (Lists(deny_folders=("anim",)), [1, 2, 3, 4, 5, 6]),
        (Lists(deny_folders=("anim*",)), [2, 4, 5, 6]),
        (Lists(deny_folders=("anim*", "mine")), [2, 5, 6]),
        (Lists(deny_folders=("[XL] Styles",)), [1, 3, 4, 5, 6]),
        (Lists(deny_folders=(".",)), [1, 2, 3, 4, 6]),
        (Lists(allow_folders=("animals",)), [1, 3, 4]),
        (Lists(allow_folders=("mine", ".")), [4, 5]),
        (Lists(allow_folders=("*",)), [1, 2, 3, 4, 5]),
        (Lists(allow_folders=("animals",), deny_folders=("animals/old",)), [1, 4]),
        (Lists(deny_tags=("ANIMAL",)), [2, 5]),
        (Lists(deny_tags=("forest floor", "man*")), [1, 3, 4, 6]),
        (Lists(allow_tags=("animal",)), [1, 3, 4, 6]),
        (Lists(allow_tags=("style",), deny_tags=("manga",)), []),
        (Lists(allow_tags=("fox", "nothing such")), [1]),
        (Lists(allow_folders=("no such folder",)), []),
    ],
)
def test_what_the_lists_leave(lists: Lists, left: list[int]) -> None:
    opened = open_rows(lists, labels(*ALL))
    assert [entry.key.value for entry, is_open in zip(ALL, opened, strict=True) if is_open] == [
        str(number) for number in left
    ]
    assert [lists.reason(entry) == "" for entry in ALL] == opened.tolist()


@pytest.mark.parametrize(
    ("lists", "entry", "names"),
    [
        (Lists(deny_folders=("animals",)), FOX, ["'animals'"]),
        (Lists(deny_folders=(".",)), ROOT, ["'.'"]),
        (Lists(deny_tags=("manga",)), INK, ["'manga'"]),
        (Lists(allow_folders=("mine", "animals")), ROOT, ["'mine'", "'animals'"]),
        (Lists(allow_tags=("a", "b", "c", "d")), ROOT, ["'a'", "'b'", "'c'"]),
    ],
)
def test_the_reason_names_the_folder_or_tag(lists: Lists, entry: Entry, names: list[str]) -> None:
    quoted = re.findall(r"'[^']*'", lists.reason(entry))
    assert quoted == names


PATTERNS = st.lists(st.text("ab*?./[]\\ ", max_size=5), max_size=2).map(tuple)


@settings(max_examples=150)
@given(
    st.builds(Lists, PATTERNS, PATTERNS, PATTERNS, PATTERNS),
    st.lists(st.text("ab/", min_size=1, max_size=4), max_size=3),
)
def test_the_arrays_say_what_the_reasons_say(lists: Lists, folders: list[str]) -> None:
    entries = [
        on_disk(
            number, f"{folder.strip('/')}/x.safetensors".lstrip("/"), tags=("a", "b"), kind="animal"
        )
        for number, folder in enumerate(folders, 1)
    ]
    opened = open_rows(lists, labels(*entries))
    assert opened.tolist() == [lists.reason(entry) == "" for entry in entries]


def test_nothing_listed_is_false() -> None:
    assert not Lists.of(Settings().selection)
    assert Lists.of(with_values(Settings(), {"selection": {"deny_tags": "nude"}}).selection)


def test_tags_are_written_in_one_way() -> None:
    assert tag_label("Long_ Hair") == tag_label("long hair") == "#long hair"


class TestInTheRetriever:
    TRAIN = "a copper train at a night market"

    @staticmethod
    def train(house: House) -> Entry:
        key = AdapterKey.civitai(3)
        return house.store.read([key])[key]

    def test_a_denied_tag_is_a_near_miss_with_its_reason(self, house: House) -> None:
        found = house.find(self.TRAIN, deny_tags=("train",))
        assert "Copper Train" not in [candidate.entry.card.name for candidate in found.found]
        reason = next(miss.reason for miss in found.refused if miss.name == "Copper Train")
        assert reason == Lists(deny_tags=("train",)).reason(self.train(house))

    def test_an_allowed_tag_leaves_nothing_else(self, house: House) -> None:
        assert house.names(self.TRAIN, allow_tags=("steampunk",)) == ["Copper Train"]

    def test_always_counts_more_than_a_list_and_never_more_than_that(self, house: House) -> None:
        key = AdapterKey.civitai(3)
        house.store.edit(key, Edits(state="always"))
        assert "Copper Train" in house.names("zebra, savanna, grass, dust", deny_tags=("train",))
        house.store.edit(key, Edits(state="never"))
        found = house.find(self.TRAIN, allow_tags=("train",))
        assert found.found == ()
        assert [miss.reason for miss in found.refused if miss.name == "Copper Train"] == [
            NEVER_USED
        ]

    def test_folders_of_files_that_came_later_count_at_once(self, house: House) -> None:
        assert house.names(self.TRAIN, allow_folders=("trains",)) == []
        house.add([on_disk(70, "trains/copper.safetensors", tags=("train",), kind="vehicle")])
        assert house.names(self.TRAIN, allow_folders=("trains",)) == ["Entry 70"]
        assert "Entry 70" not in house.names(self.TRAIN, deny_folders=("trains",))

    def test_many_labels_are_kept_on_disk(self, house: House) -> None:
        house.add(
            [
                make_entry(2000 + number, f"Odd n{number}x", tags=(f"tag {number}", "odd"))
                for number in range(300)
            ]
        )
        opened_again = open_index(house.store, house.folder)
        assert opened_again.labels.rows_with(["#odd"]).sum() == 300
        names = house.names("odd n7x", allow_tags=("odd",))
        assert len(names) == 150
        assert all(name.startswith("Odd") for name in names)
