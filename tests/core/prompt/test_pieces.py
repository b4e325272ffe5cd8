"""Pieces: what a prompt says, without its syntax and its boilerplate."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import phrases, pieces
from tests.core.prompt.host_reading import PROMPTS


def said(text: str) -> list[str]:
    return [piece.text for piece in pieces(parse_prompt(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a cat", ["a cat"]),
        ("a cat, red hair\nhat", ["a cat", "red hair", "hat"]),
        ("masterpiece, (best quality:1.2), a cat, 8k uhd", ["a cat"]),
        ("score_9, score_8_up, source_anime, rating_safe, 1girl, cat ears", ["1girl", "cat ears"]),
        ("a (red:1.3) hat", ["a red hat"]),
        ("(a cat, [a dog])", ["a cat", "a dog"]),
        (r"rem \(re:zero\)", ["rem (re:zero)"]),
        ("a [cat|dog] runs", ["cat", "dog", "runs"]),
        ("{cat|dog} in snow", ["cat", "dog", "in snow"]),
        ("{2$$cat|dog}", ["cat", "dog"]),
        ("{0.5::cat|dog}", ["cat", "dog"]),
        ("[cat:dog:0.5]", ["cat", "dog"]),
        ("[cat:10]", ["cat"]),
        ("[cat::0.5]", ["cat"]),
        ("[(cat:1.2):a [big|small] dog:0.5]", ["cat", "big", "small", "dog"]),
        ("[cat]", ["cat"]),
        ("cat <lora:dog:1> bird", ["cat", "bird"]),
        ("<lora:dog:1> <lyco:x:1>", []),
        ("cat __animal__ bird", ["cat", "bird"]),
        ("${animal} bird", ["bird"]),
        ("cat # dog", ["cat"]),
        ("cat BREAK dog AND bird :1.2", ["cat", "dog", "bird"]),
        ("painting by Greg Rutkowski, by wlop", ["painting by Greg Rutkowski", "by wlop"]),
        ("A cat sits. A dog runs! Why?", ["A cat sits", "A dog runs"]),
        ("title: subtitle, 16:9 frame", ["title: subtitle", "16:9 frame"]),
        ("of the, a, cat", ["cat"]),
        (",,, ((())) [] {} |", []),
        ("猫、犬", ["猫", "犬"]),
        ("\x00\x01", []),
        ("long_hair", ["long_hair"]),
    ],
)
def test_pieces(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_a_piece_knows_where_it_came_from_and_how_it_is_weighted() -> None:
    text = "a cat BREAK (red  hat:1.3), 1girl AND ([dog]:2)"
    prompt = parse_prompt(text)
    found = [
        (p.text, text[p.start : p.end], p.segment, round(p.weight, 3), p.role)
        for p in pieces(prompt)
    ]
    assert found == [
        ("a cat", "a cat", 0, 1.0, "content"),
        ("red hat", "red  hat", 1, 1.3, "content"),
        ("1girl", "1girl", 1, 1.0, "count"),
        ("dog", "dog", 2, 1.818, "content"),
    ]


def test_the_heaviest_word_weighs_for_its_piece() -> None:
    (piece,) = pieces(parse_prompt("a (big:1.4) [grey] dog"))
    assert piece.text == "a big grey dog"
    assert piece.weight == pytest.approx(1.4)


def test_phrases_keep_the_boilerplate_and_say_so() -> None:
    roles = [
        (phrase.text, phrase.role) for phrase in phrases(parse_prompt("masterpiece, 1girl, hat"))
    ]
    assert roles == [("masterpiece", "boilerplate"), ("1girl", "count"), ("hat", "content")]


@settings(deadline=None, max_examples=150)
@given(PROMPTS | st.text(st.characters(), max_size=100))
def test_pieces_lie_in_order_inside_their_segments(text: str) -> None:
    prompt = parse_prompt(text)
    done = 0
    for piece in phrases(prompt):
        assert done <= piece.start < piece.end <= len(text)
        assert piece.text == " ".join(piece.text.split()) != ""
        segment = prompt.segments[piece.segment]
        assert segment.start <= piece.start
        assert (
            piece.segment + 1 == len(prompt.segments)
            or piece.end <= prompt.segments[piece.segment + 1].start
        )
        done = piece.end


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["cat", "red hat", "dog house", "1girl", "blue eyes"]),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_what_was_written_between_commas_comes_back(parts: list[str], data: st.DataObject) -> None:
    dressings = [
        "{}",
        "({})",
        "({}:1.2)",
        "[{}]",
        " {} ",
        "{} <lora:x:1>",
        "\n{}",
        "BREAK {}",
        "{} BREAK",
        "({}, best quality)",
    ]
    text = ", ".join(data.draw(st.sampled_from(dressings)).format(part) for part in parts)
    assert said(text) == parts
