from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import MOST_WORDS, runs, spans


def texts(prompt: str) -> list[str]:
    return [span.text for span in spans(parse_prompt(prompt))]


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("A graffiti of a corgi on the wall", ["graffiti", "corgi", "wall"]),
        (
            "An old steam train crossing a stone bridge",
            ["old steam train crossing", "stone bridge"],
        ),
        ("Two women are sitting next to a large red umbrella.", ["women", "red umbrella"]),
        ("the cat's whiskers and the dog", ["cat's whiskers", "dog"]),
        ("a black-and-white photo of a lighthouse", ["black-and-white", "lighthouse"]),
        ("There is something in there", []),
        ("", []),
    ],
)
def test_captions_fall_into_telling_runs(caption: str, found: list[str]) -> None:
    assert texts(caption) == found


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        (
            "masterpiece, best quality, 1girl, solo, long silver hair, castle",
            ["long silver hair", "castle"],
        ),
        (
            "score_9, score_8_up, rating_safe, (dragon:1.3), night sky, rain",
            ["dragon", "night sky", "rain"],
        ),
        (
            "mira \\(skyreach\\), goggles, red scarf, sky",
            ["mira (skyreach)", "goggles", "red scarf", "sky"],
        ),
        ("fox, tree, snow, <lora:fox:0.8>", ["fox", "tree", "snow"]),
        (
            "fox, tree, snow, a woman holding a lantern in the old harbor",
            ["fox", "tree", "snow", "woman holding", "lantern", "old harbor"],
        ),
    ],
)
def test_of_tags_the_commas_rule(prompt: str, found: list[str]) -> None:
    assert texts(prompt) == found


def test_spans_know_their_segment() -> None:
    found = spans(parse_prompt("fox, snow, tree, moss BREAK owl, night, moon, fog"))
    assert {span.text: span.segment for span in found} == {
        "fox": 0,
        "snow": 0,
        "tree": 0,
        "moss": 0,
        "owl": 1,
        "night": 1,
        "moon": 1,
        "fog": 1,
    }


def test_other_scripts_are_spans_too() -> None:
    assert texts("初音ミク, 夜, 雨, 城") == ["初音ミク", "夜", "雨", "城"]
    assert texts("кот на крыше") == ["кот на крыше"]


def test_long_runs_are_cut() -> None:
    text = " ".join(f"word{letter}" for letter in "abcdefghijkl")
    assert [len(text[start:end].split()) for start, end in runs(text)] == [
        MOST_WORDS,
        MOST_WORDS,
        2,
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(),
        st.lists(
            st.sampled_from(
                [
                    "a red fox",
                    "1girl",
                    ",",
                    "(",
                    ")",
                    ":1.2",
                    "BREAK",
                    "\n",
                    "[",
                    "|",
                    "]",
                    "снег",
                    "<lora:x:1>",
                ]
            )
        ).map(" ".join),
    )
)
def test_spans_are_disjoint_in_order_and_where_they_say(prompt: str) -> None:
    found = spans(parse_prompt(prompt))
    for span in found:
        assert 0 <= span.start < span.end <= len(prompt)
        assert span.text.strip()
    assert all(one.end <= other.start for one, other in zip(found, found[1:], strict=False))
