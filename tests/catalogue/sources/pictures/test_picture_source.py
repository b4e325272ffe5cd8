from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, PngImagePlugin

from stylus_ext.catalogue.sources.pictures.learn import PictureSource
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.feedback import Verdict
from stylus_ext.core.file_names import NO_TAG_NAMES, FileNames, TagNames
from stylus_ext.core.recipes import Recipe, RecipeAdapter
from tests.fakes import Watch, make_card

FOX, OWL = AdapterKey.civitai(1), AdapterKey.civitai(2)
HASH = "0123456789ab"
NAMES = TagNames.of([FileNames(FOX, "my_fox", "foxes", HASH), FileNames(OWL, "owl", "birds")])


def picture(path: Path, prompt: str, hashes: str = "", stylus_prompt: str = "") -> None:
    info = PngImagePlugin.PngInfo()
    more = f', Lora hashes: "{hashes}"' if hashes else ""
    more += f', Stylus: 0.1.0, Stylus prompt: "{stylus_prompt}"' if stylus_prompt else ""
    info.add_text(
        "parameters",
        f"{prompt}\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 8x8{more}",
    )
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)


def test_pictures_make_the_card_of_the_adapter_with_the_stem(
    tmp_path: Path,
) -> None:
    for number, weight in enumerate((0.5, 0.6, 0.7)):
        picture(
            tmp_path / f"{number}.png",
            f"foxstyle, a fox number {number}, snow <lora:my_fox:{weight}>",
        )
        picture(tmp_path / f"plain{number}.png", f"a tree number {number}, rain")
    cards = [
        sighting.card
        for sighting in PictureSource([tmp_path], NAMES).cards({}, Watch())
        if sighting.card
    ]
    assert [card.key for card in cards] == [FOX]
    assert cards[0].source == "pictures"
    assert cards[0].weight == 0.6
    assert "foxstyle" in cards[0].triggers
    assert len(cards[0].examples) == 3


def test_one_that_pictures_call_by_its_alias_or_by_an_old_name_is_one(tmp_path: Path) -> None:
    for number, (name, hashes) in enumerate(
        (
            ("my_fox", ""),
            ("foxes", f"foxes: {HASH}"),
            ("before_i_renamed_it", f"before_i_renamed_it: {HASH}"),
        )
    ):
        picture(
            tmp_path / f"{number}.png",
            f"a fox, place {number} <lora:{name}:0.{5 + number}>",
            hashes,
        )
    picture(tmp_path / "owl.png", "an owl <lora:birds:1>", f"birds: {HASH}")
    picture(tmp_path / "other.png", "a bee <lora:stranger:1>", "stranger: ba9876543210")
    sightings = list(PictureSource([tmp_path], NAMES).cards({}, Watch()))
    cards = {sighting.card.key: sighting.card for sighting in sightings if sighting.card}
    assert {key: (card.weight, len(card.examples)) for key, card in cards.items()} == {
        FOX: (0.6, 3),
        OWL: (1.0, 1),
    }
    assert len(sightings) == 3
    notes = [sighting.note for sighting in sightings if sighting.note]
    assert [note.code for note in notes] == ["unknown_in_pictures"]
    assert "stranger" in notes[0].text


def test_a_file_that_another_with_its_stem_hides_is_found_by_its_alias(tmp_path: Path) -> None:
    picture(tmp_path / "1.png", "a fox <lora:foxes:0.5>")
    names = TagNames.of([FileNames(OWL, "my_fox"), FileNames(FOX, "my_fox", "foxes")])
    assert [
        sighting.card.key
        for sighting in PictureSource([tmp_path], names).cards({}, Watch())
        if sighting.card
    ] == [FOX]


def test_adapters_that_are_not_in_the_folders_are_named_in_a_note(tmp_path: Path) -> None:
    for number in range(7):
        picture(tmp_path / f"{number}.png", f"a fox <lora:stranger{number}:1>")
    sightings = list(PictureSource([tmp_path], NAMES).cards({}, Watch()))
    assert [sighting.card for sighting in sightings] == [None]
    note = sightings[0].note
    assert note is not None
    assert "stranger0" in note.text
    assert "2 more" in note.text


def test_pictures_are_never_said_to_be_gone(tmp_path: Path) -> None:
    assert PictureSource([tmp_path], NO_TAG_NAMES).gone({}) == []


def cards_of(source: PictureSource) -> list[AdapterCard]:
    return [sighting.card for sighting in source.cards({}, Watch()) if sighting.card is not None]


def test_the_users_recipes_and_verdicts_judge_what_stylus_chose(tmp_path: Path) -> None:
    picture(tmp_path / "1.png", "a fox, snow <lora:my_fox:0.49>", stylus_prompt="a fox, snow")
    assert cards_of(PictureSource([tmp_path], NAMES)) == []
    kept = Recipe("mine", "a fox, snow", adapters=(RecipeAdapter(FOX, 0.5),))
    (card,) = cards_of(PictureSource([tmp_path], NAMES, recipes=[kept]))
    assert (card.key, card.weight, len(card.examples)) == (FOX, None, 1)
    others = [
        Recipe("two", "a fox, snow", adapters=(RecipeAdapter(FOX, 0.5), RecipeAdapter(OWL, 0.5))),
        Recipe("other", "a fox", adapters=(RecipeAdapter(FOX, 0.5),)),
    ]
    assert cards_of(PictureSource([tmp_path], NAMES, recipes=others)) == []
    wrong = [Verdict(FOX, "a fox, snow")]
    assert cards_of(PictureSource([tmp_path], NAMES, wrong, [kept])) == []
    elsewhere = [Verdict(FOX, "a castle at night, stormy sea"), Verdict(OWL, "a fox, snow")]
    assert len(cards_of(PictureSource([tmp_path], NAMES, elsewhere, [kept]))) == 1


def test_what_was_learned_before_is_taken_back(tmp_path: Path) -> None:
    picture(tmp_path / "1.png", "a fox <lora:my_fox:0.49>", stylus_prompt="a fox")

    def stated(keys: Sequence[AdapterKey]) -> dict[AdapterKey, list[AdapterCard]]:
        return {key: [make_card(key=key, source="pictures")] for key in keys}

    (card,) = cards_of(PictureSource([tmp_path], NAMES, stated=stated))
    assert (card.key, card.source, card.weight) == (FOX, "pictures", None)
    assert (card.examples, card.triggers, card.weak) == ((), (), True)
