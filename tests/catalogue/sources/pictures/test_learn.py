"""Learning from folders of real picture files."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from stylus_ext.catalogue.sources.pictures.infotext import MAX_TEXT
from stylus_ext.catalogue.sources.pictures.learn import (
    MAX_EXAMPLES,
    Judgement,
    PictureLesson,
    card_of,
    learn,
)
from stylus_ext.core.card import AdapterKey, Example, merge_cards
from stylus_ext.core.errors import Cancelled
from tests.catalogue.sources.pictures.making import (
    chunk,
    infotext,
    write_as_the_webui,
    write_chunks,
    write_png,
)
from tests.fakes import Watch, make_card

THINGS = ["cat", "dog", "horse", "barn"]


def fill(folder: Path) -> None:
    """Four pictures with a LoRA, in every format and one below; five without."""
    (folder / "below").mkdir()
    hashes = {"Lora hashes": '"alley: 0123456789ab"'}
    write_png(folder / "1.png", infotext("rainalley, cat, <lora:alley:0.6>", **hashes))
    write_as_the_webui(folder / "2.jpg", infotext("dog, rainalley, <lora:alley:0.8>", **hashes))
    write_as_the_webui(
        folder / "3.webp",
        infotext("(rainalley:1.1), horse, <lora:alley:0.7><lora:detail:0.3>", **hashes),
    )
    write_png(folder / "below" / "4.PNG", infotext("rainalley, barn, <lora:alley:0.7>", **hashes))
    for number in range(5):
        write_png(folder / f"other{number}.png", infotext(f"lake number{number}, masterpiece"))


def test_what_is_learned_about_a_lora(tmp_path: Path) -> None:
    fill(tmp_path)
    lessons = learn([tmp_path], Watch())
    assert (lessons.pictures, lessons.with_infotext, lessons.notes) == (9, 9, ())
    alley = lessons.lessons["alley"]
    assert (alley.stem, alley.pictures, alley.weight, alley.triggers) == (
        "alley",
        4,
        0.7,
        ("rainalley",),
    )
    assert set(alley.prompts) == {
        "rainalley, cat",
        "dog, rainalley",
        "(rainalley:1.1), horse",
        "rainalley, barn",
    }
    assert lessons.lessons["detail"] == PictureLesson("detail", 1, 0.3, ("(rainalley:1.1), horse",))


def test_learning_is_deterministic_and_changes_no_file(tmp_path: Path) -> None:
    fill(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    first, second = learn([tmp_path], Watch()), learn([tmp_path, tmp_path / "below"], Watch())
    assert first == second
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_many_seeds_of_one_prompt_are_one_prompt_but_many_pictures(tmp_path: Path) -> None:
    for seed in range(6):
        write_png(tmp_path / f"{seed}.png", infotext("zkw, cat, <lora:a:0.5>", Seed=str(seed)))
    for seed in range(6):
        write_png(tmp_path / f"other{seed}.png", infotext(f"thing{seed}"))
    lesson = learn([tmp_path], Watch()).lessons["a"]
    assert (lesson.pictures, lesson.prompts, lesson.triggers) == (6, ("zkw, cat",), ())


def test_the_most_different_prompts_are_kept(tmp_path: Path) -> None:
    for number in range(2 * MAX_EXAMPLES):
        write_png(
            tmp_path / f"a{number:02}.png", infotext(f"cat, sofa, lamp, number{number} <lora:a:1>")
        )
    write_png(tmp_path / "z.png", infotext("lighthouse, storm <lora:a:1>"))
    prompts = learn([tmp_path], Watch()).lessons["a"].prompts
    assert len(prompts) == len(set(prompts)) == MAX_EXAMPLES
    assert prompts[1] == "lighthouse, storm"


def test_a_prompt_written_by_stylus_and_one_with_everything(tmp_path: Path) -> None:
    write_png(
        tmp_path / "1.png",
        infotext(
            "A corgi on the wall, graffiti \\(style\\), <lora:graffiti:0.64>, <lora:corgi:0.8>"
        ),
    )
    write_png(
        tmp_path / "2.png",
        infotext(
            "a {b|c}, [d:e:0.5] __w__ BREAK <lora:graffiti:0.5:0.2> AND"
            " <lora:corgi:te=1:unet=0.5>:1.2"
        ),
    )
    lessons = learn([tmp_path], Watch()).lessons
    assert {stem: (lesson.pictures, lesson.weight) for stem, lesson in lessons.items()} == {
        "graffiti": (2, 0.57),
        "corgi": (2, 0.9),
    }
    assert lessons["graffiti"].prompts[0] == "A corgi on the wall, graffiti \\(style\\)"


def test_all_names_of_one_file_teach_about_that_file(tmp_path: Path) -> None:
    write_png(
        tmp_path / "1.png",
        infotext(
            "cat, <lora:Alley, by night:0.6>", **{"Lora hashes": '"Alley by night: 0123456789ab"'}
        ),
    )
    write_png(tmp_path / "2.png", infotext("dog, <lora:alley:0.8>"))
    write_png(tmp_path / "3.png", infotext("horse, <lora:alley:0.7> <lora:the alley:0.1>"))
    asked: dict[str, str] = {}

    def stem(name: str, auto_v3: str) -> str:
        asked.setdefault(name, auto_v3)
        return "alley"

    lessons = learn([tmp_path], Watch(), stem).lessons
    assert asked == {"Alley, by night": "0123456789ab", "alley": "", "the alley": ""}
    assert (list(lessons), lessons["alley"].pictures, lessons["alley"].weight) == (
        ["alley"],
        3,
        0.7,
    )


def test_tags_without_a_number_teach_no_weight(tmp_path: Path) -> None:
    write_png(tmp_path / "1.png", infotext("a, <lora:a> <lora:b:x>"))
    assert [lesson.weight for lesson in learn([tmp_path], Watch()).lessons.values()] == [None, None]


CHOSEN = "a fox, snow, foxstyle <lora:owl:0.4> <lora:fox:0.49>"
STYLUS = {"Stylus": "0.1.0", "Stylus prompt": '"a fox, snow <lora:owl:0.4>"'}


def test_what_stylus_chose_teaches_nothing(tmp_path: Path) -> None:
    write_png(tmp_path / "1.png", infotext(CHOSEN, **STYLUS))
    write_png(tmp_path / "2.png", infotext("a barn <lora:owl:0.6>", Stylus="0.1.0"))
    lessons = learn([tmp_path], Watch())
    assert lessons.with_infotext == 2
    assert lessons.lessons == {
        "fox": PictureLesson("fox", 0),
        "owl": PictureLesson("owl", 2, 0.5, ("a fox, snow", "a barn")),
    }


@pytest.mark.parametrize("kept", ["corrected", "locked"])
def test_a_set_that_the_user_confirmed_teaches_words_and_no_weight(
    tmp_path: Path, kept: str
) -> None:
    write_png(tmp_path / "1.png", infotext(CHOSEN, **STYLUS, **{"Stylus kept": kept}))
    prompts = ("a fox, snow, foxstyle",)
    assert learn([tmp_path], Watch()).lessons == {
        "fox": PictureLesson("fox", 1, None, prompts),
        "owl": PictureLesson("owl", 1, 0.4, prompts),
    }


def test_tags_that_were_sent_to_the_prompt_are_the_users(tmp_path: Path) -> None:
    write_png(tmp_path / "1.png", infotext("a fox <lora:fox:0.5>", Stylus="0.1.0"))
    assert learn([tmp_path], Watch()).lessons["fox"] == PictureLesson("fox", 1, 0.5, ("a fox",))


def test_a_verdict_outweighs_what_the_user_kept_and_wrote(tmp_path: Path) -> None:
    write_png(tmp_path / "1.png", infotext(CHOSEN, **STYLUS, **{"Stylus kept": "locked"}))
    write_png(tmp_path / "2.png", infotext("a fox, snow <lora:fox:0.5>"))
    write_png(tmp_path / "3.png", infotext("a castle <lora:fox:0.7>"))
    judgement = Judgement(lambda stem, prompt: (stem, prompt) == ("fox", "a fox, snow"))
    lessons = learn([tmp_path], Watch(), judgement=judgement).lessons
    assert lessons["fox"] == PictureLesson("fox", 1, 0.7, ("a castle",))
    assert lessons["owl"].pictures == 1


def test_a_kept_set_teaches(tmp_path: Path) -> None:
    write_png(tmp_path / "1.png", infotext(CHOSEN, **STYLUS))
    judgement = Judgement(is_kept=lambda *kept: kept == ("a fox, snow", frozenset({"fox", "owl"})))
    assert learn([tmp_path], Watch(), judgement=judgement).lessons["fox"].pictures == 1


def test_unreadable_files_are_skipped_with_a_note(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "cut.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.webp").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    bomb = zlib.compress(b"a" * (2 * MAX_TEXT))
    write_chunks(tmp_path / "bomb.png", chunk(b"zTXt", b"parameters\0\0" + bomb))
    lessons = learn([tmp_path], Watch())
    assert lessons.with_infotext == 9
    assert len(lessons.notes) == 4
    for name in ("bomb.png", "cut.png", "empty.jpg", "text.webp"):
        assert any(name in note.text for note in lessons.notes)
    assert {note.code for note in lessons.notes} == {"picture_skipped"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="this user may read everything")
def test_a_picture_that_may_not_be_opened_is_skipped(tmp_path: Path) -> None:
    write_png(tmp_path / "1.png", infotext("a")).chmod(0)
    assert [note.code for note in learn([tmp_path], Watch()).notes] == ["picture_skipped"]


def test_hundreds_of_broken_pictures_do_not_make_hundreds_of_notes(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}.png").touch()
    notes = learn([tmp_path], Watch()).notes
    assert len(notes) == 21
    assert "40" in notes[-1].text


def test_a_missing_folder_gives_a_note(tmp_path: Path) -> None:
    lessons = learn([tmp_path, tmp_path / "gone"], Watch())
    assert (lessons.lessons, lessons.pictures) == ({}, 0)
    assert [note.code for note in lessons.notes] == ["no_such_folder"]
    assert str(tmp_path / "gone") in lessons.notes[0].text


@pytest.mark.skipif(os.name != "posix", reason="links need rights elsewhere")
def test_link_loops_are_walked_once(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "below" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "again.png").symlink_to(tmp_path / "1.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert learn([tmp_path], Watch()).pictures == 9


def test_progress_is_reported_and_cancelling_works(tmp_path: Path) -> None:
    fill(tmp_path)
    watch = Watch()
    learn([tmp_path], watch)
    assert watch.seen[0] == ("reading pictures", 0, 9)
    assert watch.seen[-1] == ("reading pictures", 9, 9)
    with pytest.raises(Cancelled):
        learn([tmp_path], Watch(patience=0))


def test_the_card_of_a_lesson_fills_the_gaps_of_the_files_own() -> None:
    lesson = PictureLesson("alley", 4, 0.7, ("rainalley, cat",), ("rainalley",))
    key = AdapterKey.path("alley.safetensors")
    card = card_of(lesson, key)
    assert (card.key, card.source, card.weight, card.triggers, card.weak) == (
        key,
        "pictures",
        0.7,
        ("rainalley",),
        False,
    )
    assert card.examples == (Example("rainalley, cat", 0.7),)
    known = merge_cards(
        [make_card(name="Rainy Alley", source="local", triggers=("official",), weight=0.9), card]
    )
    assert (known.name, known.triggers, known.weight) == ("Rainy Alley", ("official",), 0.9)
    unknown = merge_cards(
        [make_card(name="alley", source="local", triggers=("tag",), weak=True), card]
    )
    assert (unknown.name, unknown.triggers, unknown.weight) == ("alley", ("rainalley",), 0.7)


def test_a_lesson_without_triggers_makes_a_weak_card() -> None:
    card = card_of(PictureLesson("alley", 1, None, ("cat",)), AdapterKey.path("alley.safetensors"))
    assert card.weak
    assert merge_cards(
        [make_card(source="local", triggers=("tag",), weak=True), card]
    ).triggers == ("tag",)


@pytest.mark.long
def test_five_thousand_pictures(tmp_path: Path) -> None:
    for number in range(5000):
        path = tmp_path / f"{number}.png"
        write_chunks(
            path,
            chunk(
                b"tEXt",
                b"parameters\0"
                + infotext(
                    f"thing{number % 50}, trig{number % 40}, <lora:stem{number % 40}:0.7>"
                ).encode(),
            ),
        )
    watch = Watch()
    lessons = learn([tmp_path], watch)
    assert lessons.with_infotext == 5000
    assert lessons.lessons["stem3"].triggers == ("trig3",)
    assert len(watch.seen) <= 110
