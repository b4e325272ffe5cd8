"""Which sentences of a page are kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.refine.text import MAX_TEXT, clean_text, plain_lines

KEPT = "Rainy alleys with red lanterns."


@pytest.mark.parametrize(
    "noise",
    [
        "Support me on Patreon!",
        "Buy me a coffee at ko-fi.com/somebody.",
        "Join our Discord for more.",
        "Follow me on Twitter.",
        "https://example.com/alley",
        "Write to me: somebody@example.com.",
        "Commissions are open.",
        "How to use: put the file into the lora folder.",
        "Download it and copy it to models/Lora.",
        "Trained on 120 images for 10 epochs.",
        "Dim 32, alpha 16, lantern dataset at 768x768.",
        "Resolution 512.",
        "Network rank 8.",
        "Recommended weight: 0.6-0.8.",
        "Use it at 0.7.",
        "Strength around 0.5 for lanterns.",
        "Best between 0.4 and 0.9.",
        "Update: new lanterns.",
        "Version 2 has better lanterns.",
        "v1.1 fixed the lanterns.",
        "2023-05-25 first lanterns.",
        "Trigger words: rainalley, lantern.",
        "You can add red lanterns to the prompt.",
        "If you like red alleys, press the button.",
        "Enjoy the lanterns!",
        "Please leave a review.",
        "Thanks to everybody who tested the alley.",
        "I made this alley.",
        "My red lantern.",
        "Clip skip 2, CFG 7, DPM++ 2M Karras.",
        "Works great with AnyLoRA.",
        "Commercial use of the lantern is prohibited.",
        "推荐权重0.6，红色灯笼",
        "触发词：rainalley",
        "加群看更多 red",
        "学習に120枚 red",
        "推奨の強さは0.7 red",
        "트리거 red",
    ],
)
def test_sentences_about_other_topics_are_removed(noise: str) -> None:
    about = {"rainy", "alley", "lantern", "red"}
    assert clean_text([noise, KEPT], about) == KEPT
    assert clean_text([f"{KEPT} {noise}"], about) == KEPT


@pytest.mark.parametrize(
    "nonsense",
    [
        "The English text comes from a machine translation.",
        "英語の文は機械翻訳で、赤い灯籠です。",
        "Red lanterns come out better with more pictures.",
        "It was hard to get the lantern right.",
        "Lanterns tend to float in the alley.",
        "Known flaws: a lantern may be missing.",
        "The lantern doesn't always appear.",
        "Hands are a problem in alleys.",
        "Results differ from lantern to lantern.",
        "Depending on the lantern, raise it.",
        "If needed, name the red lantern.",
        "This time we visit a red alley.",
        "For examples see the lantern page.",
        "Tokens: rainalley lantern.",
        "Is that a red lantern?",
        "Our group is recruiting lantern friends.",
        "We take payment for lanterns.",
        "The lanterns were rendered with another model.",
        "Supports more alleys than before.",
        "To be honest, red alleys.",
        'red lantern" and the alley.',
        "A red lantern in the.",
        "红色的灯笼，请勿用于商业。",
    ],
)
def test_sentences_that_do_not_say_what_is_drawn_are_removed(nonsense: str) -> None:
    about = {"rainy", "alley", "lantern", "red"}
    assert clean_text([nonsense, KEPT], about) == KEPT
    assert clean_text([nonsense], about) == ""


@pytest.mark.parametrize(
    "line",
    [
        "Somebody under a red lantern.",
        "A US Navy lantern.",
        "Still life with a lantern.",
        "A businessman in a business suit beside a lantern.",
        "Endless stairs, complex patterns, a lantern.",
        "The god of lanterns at a stage performance.",
    ],
)
def test_sentences_about_the_picture_stay(line: str) -> None:
    assert clean_text([line], {"lantern"}) == line


@pytest.mark.parametrize("vague", ["A new style.", "The girl of the movie.", "An anime picture."])
def test_a_word_that_fits_every_card_is_not_enough(vague: str) -> None:
    assert clean_text([vague], {"lantern"}) == ""


@pytest.mark.parametrize(
    ("text", "kept"),
    [("今天心情很好。", False), ("这是卡通风格的背景。", True), ("空港の背景です。", True)],
)
def test_a_foreign_sentence_needs_a_sign_of_looks(text: str, kept: bool) -> None:
    assert bool(clean_text([text], {"lantern"})) is kept


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("This is a LoRA for creating images of old lighthouses.", "old lighthouses."),
        ("LoRA trained on 80 images of the lighthouse of Alexandria", "lighthouse of Alexandria."),
        ("A model that replicates the lighthouse", "lighthouse."),
        ("An amazing lighthouse!!!", "An lighthouse."),
        ("Lighthouses at night", "Lighthouses at night."),
        (
            "Mr. Lighthouse vs. the sea. And the storm lighthouse.",
            "Mr. Lighthouse vs. the sea. And the storm lighthouse.",
        ),
    ],
)
def test_padding_and_hype_are_removed(line: str, left: str) -> None:
    assert clean_text([line], {"lighthouse"}) == left


def test_pages_without_line_breaks_are_split() -> None:
    page = (
        "A bright red lighthouse Recommended weight: 0.7 Trained on my own pictures Please like it"
    )
    assert clean_text([page], {"lighthouse"}) == "A bright red lighthouse."


def test_lines_below_headings_about_use_are_removed() -> None:
    markup = (
        "<h1>Lighthouse</h1><p>White tower on a cliff.</p><h2>How to use</h2><p>Red"
        " tower.</p><h2>Looks</h2><p>Green door.</p>"
    )
    assert clean_text(plain_lines(markup), {"tower"}) == "White tower on a cliff. Green door."
    assert clean_text(["White tower.", "Settings:", "Red tower."], {"tower"}) == "White tower."


def test_irrelevant_sentences_are_removed_but_foreign_ones_may_stay() -> None:
    assert clean_text(["However.", "In fact, somebody asked."], {"tower"}) == ""
    assert clean_text(["白ホリのある撮影スタジオ。"], {"tower"}) == "白ホリのある撮影スタジオ。"
    assert clean_text(["Красный маяк на скале"], {"lighthouse"}) == "Красный маяк на скале."


def test_the_same_is_not_said_twice_and_the_end_is_a_sentences_end() -> None:
    assert clean_text(["A red tower.", "a red TOWER."], set()) == "A red tower."
    text = clean_text([f"A red tower number {'x' * 40}{i}." for i in range(60)], set())
    assert len(text) <= MAX_TEXT
    assert text.endswith(".")
    assert text.count("A red tower") == text.count(".")


def test_one_endless_sentence_is_cut_at_a_comma() -> None:
    text = clean_text(["red tower, " * 80], {"tower"})
    assert MAX_TEXT / 2 < len(text) <= MAX_TEXT
    assert text.endswith("tower.")


WORDS = st.sampled_from(
    [
        "red",
        "tower",
        "weight",
        "0.7",
        "LoRA",
        "of",
        "the",
        "I",
        "am",
        ".",
        "!",
        "!!!",
        "?",
        ",",
        ":",
        "Trained",
        "amazing",
        "灯台。",
        "v2",
        "Use",
        "...",
        "-",
        "Mr.",
        "style",
        "This is",
        "a model for",
        "\u2026",
        "“",
        "(",
        "🔥",
        "If you",
        "\t",
        "|",
    ]
)
LINES = st.lists(st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=60), max_size=6)


@given(LINES, st.sampled_from([set(), {"tower"}, {"tower", "the"}]))
def test_cleaning_a_clean_text_changes_nothing(lines: list[str], about: set[str]) -> None:
    once = clean_text(lines, about)
    assert len(once) <= MAX_TEXT
    assert clean_text([once], about) == once


@given(st.text(max_size=3000))
def test_any_page_is_cleaned(text: str) -> None:
    assert len(clean_text(plain_lines(text), {"a", "the"})) <= MAX_TEXT
