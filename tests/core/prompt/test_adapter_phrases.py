from __future__ import annotations

import pytest

from stylus_ext.core.prompt.words import entry_names, name_phrases, trigger_phrases
from tests.fakes import make_entry


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("Inkwell Manga Style LoRA v2.1", {("inkwell", "manga")}),
        (
            "Mira Vanthal | Skyreach Saga",
            {("mira", "vanthal", "skyreach", "saga"), ("mira", "vanthal"), ("skyreach", "saga")},
        ),
        ("Fern (Frost Road)", {("fern", "frost", "road"), ("fern",), ("frost", "road")}),
        (
            "カラオケ karaokeroom",
            {("カラ", "ラオ", "オケ", "karaokeroom"), ("カラ", "ラオ", "オケ")},
        ),
        (
            "marisa (touhou) 雾雨魔 东方project",
            {
                ("marisa", "touhou", "雾雨", "雨魔", "东方", "project"),
                ("marisa",),
                ("touhou",),
                ("雾雨", "雨魔", "东方", "project"),
                ("雾雨", "雨魔"),
                ("东方",),
            },
        ),
        ("Café Noir", {("cafe", "noir")}),
        ("LoRA", set()),
        ("", set()),
        ("【Clay】World", {("clay", "world"), ("clay",), ("world",)}),
        ("one two three four five six seven: Moon", {("moon",)}),
    ],
)
def test_parts_of_a_name(name: str, phrases: set[tuple[str, ...]]) -> None:
    assert set(name_phrases(name)) == phrases


@pytest.mark.parametrize(
    ("name", "tags", "triggers", "more"),
    [
        (
            "Mira Skyreach Saga | Character Lora 1199",
            ("game", "skyreach saga"),
            ("miradef",),
            {("mira",)},
        ),
        (
            "Mira Vanthal Skyreach Saga",
            ("Skyreach_Saga",),
            ("miravanthal2",),
            {("mira", "vanthal")},
        ),
        (
            "Mira Skyreach Saga",
            ("skyreach saga",),
            ("zqx person",),
            set(),
        ),  # nothing says that Mira is who is drawn
        ("Mira Skyreach Saga", ("skyreach saga",), (), set()),
        ("Mira Skyreach", ("skyreach",), ("mira",), set()),
        ("Classic Mira Vanthal", ("mira vanthal",), ("mira vanthal",), set()),
        ("Mira Skyreach Saga", (), ("miradef",), set()),
    ],
)
def test_somebody_has_a_name_without_the_series(
    name: str, tags: tuple[str, ...], triggers: tuple[str, ...], more: set[tuple[str, ...]]
) -> None:
    entry = make_entry(name=name, kind="character", tags=tags, triggers=triggers)
    assert set(entry_names(entry)) - set(name_phrases(name)) == more
    assert entry_names(
        make_entry(name=name, kind="style", tags=tags, triggers=triggers)
    ) == name_phrases(name)


def test_triggers_are_cut_at_their_commas() -> None:
    entry = make_entry(triggers=("mira vanthal, red scarf", "red scarf, goggles", ""))
    assert list(trigger_phrases(entry)) == [("mira", "vanthal"), ("red", "scarf"), ("goggle",)]


def test_hostile_names_stay_small() -> None:
    assert len(name_phrases("a|" * 5000 + "moon")) < 20
    assert len(list(trigger_phrases(make_entry(triggers=("x,y,z" * 900,) * 900)))) < 300
