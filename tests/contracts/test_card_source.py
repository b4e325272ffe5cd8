"""What every `CardSource` keeps to. A new source adds a builder to `SOURCES`: it gets a folder and
a number of adapters.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from stylus_ext.catalogue.sources.local.scan import LoraFolder
from stylus_ext.catalogue.sources.pictures.learn import PictureSource
from stylus_ext.catalogue.sources.starter import StarterCatalogue
from stylus_ext.core.card import SOURCES as NAMES
from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.errors import Cancelled
from stylus_ext.core.family import family_of
from stylus_ext.core.file_names import FileNames, TagNames
from stylus_ext.core.ports import CardSource, Sighting
from tests.fakes import Watch
from tests.lora_files import write_lora, write_sidecar

Builder = Callable[[Path, int], CardSource]


def lora_folder(folder: Path, count: int) -> CardSource:
    for number in range(count):
        path = write_lora(
            folder / f"adapter {number}.safetensors",
            ("sd1", "sdxl", "flux1")[number % 3],
            seed=number,
        )
        if number % 2:
            write_sidecar(
                path,
                ".civitai.info",
                {"id": number, "modelId": number, "trainedWords": [f"word{number}"]},
            )
    return LoraFolder([folder])


def starter(folder: Path, count: int) -> CardSource:
    path = folder / "starter.jsonl"
    facts = [
        {
            "model_id": number,
            "version_id": 100 + number,
            "name": f"Adapter {number}",
            "version": "v1",
            "base_model": "SD 1.5",
            "file": f"adapter{number}.safetensors",
            "size_kb": 10.5,
            "sha256": f"{number:064x}",
            "triggers": [],
            "tags": ["fox"],
            "kind": "style",
            "weight": 0.8,
            "description": "Draws foxes.",
        }
        for number in range(count)
    ]
    path.write_text("".join(json.dumps(fact) + "\n" for fact in facts), "utf-8")
    return StarterCatalogue(path)


def pictures(folder: Path, count: int) -> CardSource:
    for number in range(count):
        info = PngImagePlugin.PngInfo()
        text = (
            f"word{number} thing, a fox in place {number}"
            f" <lora:adapter{number}:0.{number + 1}>\nNegative prompt: blurry\nSteps: 20, Seed:"
            f" {number}"
        )
        info.add_text("parameters", text)
        Image.new("RGB", (8, 8)).save(folder / f"{number}.png", pnginfo=info)
    return PictureSource(
        [folder],
        TagNames.of(
            FileNames(AdapterKey.civitai(number + 1), f"adapter{number}") for number in range(count)
        ),
    )


SOURCES: dict[str, Builder] = {"lora_folder": lora_folder, "starter": starter, "pictures": pictures}


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


def test_cards_have_keys_of_their_own_a_name_and_the_sources_name(
    build: Builder, tmp_path: Path
) -> None:
    source = build(tmp_path, 5)
    cards = [sighting.card for sighting in look(source) if sighting.card]
    assert source.name
    keys = [key for card in cards for key in (card.key, *card.equivalents)]
    assert len(keys) == len(set(keys))
    assert len({card.source for card in cards}) == 1
    for card in cards:
        assert card.source in NAMES
        assert card.name or card.source == "pictures", "pictures speak of what another source names"
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


def test_only_what_it_was_asked_to_look_after_can_be_gone(build: Builder, tmp_path: Path) -> None:
    source = build(tmp_path, 3)
    there = {sighting.file.path: sighting.file for sighting in look(source) if sighting.file}
    removed = LocalFile(str(tmp_path / "removed.safetensors"), "removed", 1, 1)
    elsewhere = LocalFile(str(tmp_path.parent / "of another.safetensors"), "of another", 1, 1)
    gone = source.gone({**there, removed.path: removed, elsewhere.path: elsewhere})
    assert gone == ([removed.path] if there else [])


def test_a_stopped_look_changed_nothing(build: Builder, tmp_path: Path) -> None:
    source = build(tmp_path, 4)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir())
    whole = look(source)
    with pytest.raises(Cancelled):
        list(source.cards({}, Watch(patience=0)))
    assert look(source) == whole
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir()) == before


def test_nothing_there_is_no_problem(build: Builder, tmp_path: Path) -> None:
    assert [sighting for sighting in look(build(tmp_path, 0)) if sighting.card] == []
