from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.refresh import RefreshCatalogue
from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, LocalFile
from stylus_ext.core.entry import Edits
from stylus_ext.core.errors import Cancelled, Note
from stylus_ext.core.ports import Progress, Sighting
from tests.fakes import Watch, make_card

SHA = "ab" * 32


@dataclass
class Shelf:
    """A source that states what it is given."""

    sightings: Sequence[Sighting]
    lost: Sequence[str] = ()
    name: str = "a shelf"
    asked: list[Mapping[str, LocalFile]] = field(default_factory=list)

    def cards(self, known: Mapping[str, LocalFile], progress: Progress) -> Iterator[Sighting]:
        self.asked.append(known)
        yield from self.sightings

    def gone(self, known: Mapping[str, LocalFile]) -> list[str]:
        return list(self.lost)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path)
    yield store
    store.close()


@pytest.fixture
def refresh(store: SqliteStore) -> RefreshCatalogue:
    return RefreshCatalogue(store, CardRefiner())


def local(name: str, key: AdapterKey, sha256: str | None = None, **changes: Any) -> Sighting:
    card = make_card(name=name, key=key, source="local", **changes)
    return Sighting(card=card, file=LocalFile(f"/loras/{name}.safetensors", name, 10, 1, sha256))


def test_a_card_becomes_an_entry_with_its_family_and_description(
    refresh: RefreshCatalogue, store: SqliteStore
) -> None:
    done = refresh(
        Shelf(
            [
                Sighting(
                    card=make_card(7, "Watercolor Foxes", base_model="SDXL 1.0", tags=("style",))
                )
            ]
        ),
        Watch(),
    )
    entry = store.read([AdapterKey.civitai(7)])[AdapterKey.civitai(7)]
    assert done.written == 1
    assert entry.family == "sdxl"
    assert entry.kind == "style"
    assert entry.text


def test_notes_of_the_source_are_handed_on(refresh: RefreshCatalogue) -> None:
    note = Note("skipped", "x.safetensors was skipped: it is empty.")
    assert refresh(Shelf([Sighting(note=note)]), Watch()).notes == (note,)


def test_the_source_learns_what_is_known(refresh: RefreshCatalogue) -> None:
    shelf = Shelf([local("fox", AdapterKey.path("fox.safetensors"))])
    refresh(shelf, Watch())
    refresh(shelf, Watch())
    assert [sorted(known) for known in shelf.asked] == [[], ["/loras/fox.safetensors"]]


def test_what_two_sources_state_is_merged_and_the_nearer_one_counts_first(
    refresh: RefreshCatalogue, store: SqliteStore
) -> None:
    key = AdapterKey.civitai(7)
    refresh(
        Shelf(
            [
                Sighting(
                    card=make_card(
                        7, "Starter name", weight=0.5, triggers=("far",), text="Draws foxes."
                    )
                )
            ]
        ),
        Watch(),
    )
    refresh(Shelf([local("fox", key, triggers=("near",))]), Watch())
    entry = store.read([key])[key]
    assert entry.triggers == ("near",)
    assert entry.weight == 0.5
    assert entry.stem == "fox"
    assert "foxes" in entry.text


def test_the_hash_found_later_unites_a_file_with_what_civitai_knows_and_the_first_key_stays(
    refresh: RefreshCatalogue, store: SqliteStore
) -> None:
    path, civitai = AdapterKey.path("fox.safetensors"), AdapterKey.civitai(7)
    refresh(Shelf([local("fox", path)]), Watch())
    store.edit(path, Edits(weight=0.3))
    refresh(
        Shelf(
            [
                Sighting(
                    card=make_card(
                        7, "Foxes", text="Draws foxes.", equivalents=(AdapterKey.sha256(SHA),)
                    )
                )
            ]
        ),
        Watch(),
    )
    assert len(list(store.changes(0))) == 2
    done = refresh(Shelf([local("fox", path, SHA, equivalents=(AdapterKey.sha256(SHA),))]), Watch())
    found = store.read([path, civitai, AdapterKey.sha256(SHA)])
    assert done.united == 1
    assert {entry.key for entry in found.values()} == {path}
    assert len(found) == 3
    assert found[civitai].weight == 0.3
    assert found[civitai].card.name == "Foxes", "the stem alone is no name where somebody gave one"
    assert found[civitai].stem == "fox"
    assert "Draws foxes" in found[civitai].card.text


def test_an_edit_survives_everything_that_sources_say_later(
    refresh: RefreshCatalogue, store: SqliteStore
) -> None:
    key = AdapterKey.civitai(7)
    shelf = Shelf([Sighting(card=make_card(7, triggers=("theirs",)))])
    refresh(shelf, Watch())
    store.edit(key, Edits(state="never", triggers=("mine",)))
    refresh(Shelf([Sighting(card=make_card(7, "Renamed", triggers=("newer",)))]), Watch())
    entry = store.read([key])[key]
    assert entry.card.name == "Renamed"
    assert entry.triggers == ("mine",)
    assert entry.edits.state == "never"


def test_a_file_that_is_gone_takes_its_entry_with_it_unless_another_source_knows_it(
    refresh: RefreshCatalogue, store: SqliteStore
) -> None:
    mine, shared = AdapterKey.path("mine.safetensors"), AdapterKey.civitai(7)
    refresh(Shelf([Sighting(card=make_card(7))]), Watch())
    refresh(Shelf([local("mine", mine), local("shared", shared)]), Watch())
    done = refresh(
        Shelf([], lost=["/loras/mine.safetensors", "/loras/shared.safetensors"]), Watch()
    )
    assert done.gone == 2
    found = store.read([mine, shared])
    assert list(found) == [shared]
    assert found[shared].files == ()


def test_a_file_that_turns_out_to_be_another_adapter_leaves_no_orphan(
    refresh: RefreshCatalogue, store: SqliteStore
) -> None:
    refresh(Shelf([local("fox", AdapterKey.civitai(1))]), Watch())
    refresh(Shelf([local("fox", AdapterKey.civitai(2))]), Watch())
    assert list(store.read([AdapterKey.civitai(1), AdapterKey.civitai(2)])) == [
        AdapterKey.civitai(2)
    ]


def test_a_stop_keeps_what_was_finished(refresh: RefreshCatalogue, store: SqliteStore) -> None:
    shelf = Shelf([Sighting(card=make_card(number, f"Card {number}")) for number in range(1, 700)])
    with pytest.raises(Cancelled):
        refresh(shelf, Watch(patience=1))
    kept = len(list(store.changes(0)))
    assert 256 <= kept < 700
    refresh(shelf, Watch())
    assert len(list(store.changes(0))) == 699


def test_the_same_card_twice_in_one_batch_is_one_entry(
    refresh: RefreshCatalogue, store: SqliteStore
) -> None:
    card = make_card(7, equivalents=(AdapterKey.sha256(SHA),))
    twin: AdapterCard = replace(
        card,
        key=AdapterKey.sha256(SHA),
        equivalents=(),
        source="local",
        examples=(Example("a fox"),),
    )
    refresh(Shelf([Sighting(card=card), Sighting(card=twin)]), Watch())
    entries = [change.entry for change in store.changes(0)]
    assert len(entries) == 1
    assert entries[0] is not None
    assert entries[0].card.examples == (Example("a fox"),)
