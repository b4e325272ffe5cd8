"""What every `CardSource` keeps to. A new source adds a builder to `SOURCES`: it gets a folder and a number of adapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stylus_ext.backends.lora_folder.scan import LoraFolder
from stylus_ext.core.card import SOURCES as NAMES
from stylus_ext.core.errors import Cancelled
from stylus_ext.core.family import family_of
from stylus_ext.core.ports import CardSource, Sighting
from tests.fakes import Watch
from tests.lora_files import write_lora, write_sidecar

Builder = Callable[[Path, int], CardSource]


def lora_folder(folder: Path, count: int) -> CardSource:
    for number in range(count):
        path = write_lora(folder / f"adapter {number}.safetensors", ("sd1", "sdxl", "flux1")[number % 3], seed=number)
        if number % 2:
            write_sidecar(path, ".civitai.info", {"id": number, "modelId": number, "trainedWords": [f"word{number}"]})
    return LoraFolder([folder])


SOURCES: dict[str, Builder] = {"lora_folder": lora_folder}


@pytest.fixture(params=SOURCES)
def build(request: pytest.FixtureRequest) -> Builder:
    return SOURCES[request.param]


def look(source: CardSource) -> list[Sighting]:
    return list(source.cards({}, Watch()))


def test_every_sighting_is_a_card_or_a_note(build: Builder, tmp_path: Path) -> None:
    sightings = look(build(tmp_path, 5))
    assert len([sighting for sighting in sightings if sighting.card]) == 5
    assert all((sighting.card is None) != (sighting.note is None) for sighting in sightings)
    assert all(sighting.card for sighting in sightings if sighting.file)


def test_cards_have_keys_of_their_own_a_name_and_the_sources_name(build: Builder, tmp_path: Path) -> None:
    source = build(tmp_path, 5)
    cards = [sighting.card for sighting in look(source) if sighting.card]
    keys = [key for card in cards for key in (card.key, *card.equivalents)]
    assert len(keys) == len(set(keys))
    assert source.name in NAMES
    for card in cards:
        assert card.source == source.name
        assert card.name
        assert family_of(card.base_model)
        assert card.weight is None or card.weight > 0


def test_looking_again_gives_the_same(build: Builder, tmp_path: Path) -> None:
    source = build(tmp_path, 4)
    assert look(source) == look(source)


def test_what_the_store_knows_is_not_told_again(build: Builder, tmp_path: Path) -> None:
    source = build(tmp_path, 4)
    files = [sighting.file for sighting in look(source) if sighting.file]
    known = {file.path: file for file in files[1:]}
    again = [sighting.file for sighting in source.cards(known, Watch()) if sighting.file]
    assert again == files[:1]


def test_it_tells_how_far_it_is_and_stops_when_told(build: Builder, tmp_path: Path) -> None:
    source = build(tmp_path, 6)
    watch = Watch()
    list(source.cards({}, watch))
    assert watch.seen
    assert all(step and (total is None or 0 <= done <= total) for step, done, total in watch.seen)
    with pytest.raises(Cancelled):
        list(source.cards({}, Watch(patience=1)))


def test_nothing_there_is_no_problem(build: Builder, tmp_path: Path) -> None:
    assert [sighting for sighting in look(build(tmp_path, 0)) if sighting.card] == []
