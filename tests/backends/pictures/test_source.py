from __future__ import annotations

from pathlib import Path

from PIL import Image, PngImagePlugin

from stylus_ext.backends.pictures.source import Pictures
from stylus_ext.core.card import AdapterKey
from tests.fakes import Watch

FOX = AdapterKey.civitai(1)


def picture(path: Path, prompt: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", f"{prompt}\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 8x8")
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)


def test_what_pictures_say_becomes_the_card_of_the_adapter_that_the_stem_names(tmp_path: Path) -> None:
    for number, weight in enumerate((0.5, 0.6, 0.7)):
        picture(tmp_path / f"{number}.png", f"foxstyle, a fox number {number}, snow <lora:my_fox:{weight}>")
        picture(tmp_path / f"plain{number}.png", f"a tree number {number}, rain")
    cards = [sighting.card for sighting in Pictures([tmp_path], {"my_fox": FOX}).cards({}, Watch()) if sighting.card]
    assert [card.key for card in cards] == [FOX]
    assert cards[0].source == "pictures"
    assert cards[0].weight == 0.6
    assert "foxstyle" in cards[0].triggers
    assert len(cards[0].examples) == 3


def test_adapters_that_are_not_in_the_folders_are_named_in_a_note(tmp_path: Path) -> None:
    for number in range(7):
        picture(tmp_path / f"{number}.png", f"a fox <lora:stranger{number}:1>")
    sightings = list(Pictures([tmp_path], {"my_fox": FOX}).cards({}, Watch()))
    assert [sighting.card for sighting in sightings] == [None]
    note = sightings[0].note
    assert note is not None
    assert "stranger0" in note.text
    assert "2 more" in note.text


def test_pictures_are_never_said_to_be_gone(tmp_path: Path) -> None:
    assert Pictures([tmp_path], {}).gone({}) == []
