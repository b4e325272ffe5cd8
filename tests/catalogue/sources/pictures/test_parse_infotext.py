"""Infotexts as the WebUI, its forks and other programs write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.pictures.infotext import MAX_PROMPT, parse_infotext, split_tags
from tests.catalogue.sources.pictures.making import infotext

WHOLE = """masterpiece, a corgi
BREAK on a wall, <lora:graffiti:0.7>
Negative prompt: bad hands,
(worst quality:1.4)
Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 42, Size: 512x768, Model hash: abc123, Hires prompt: "a corgi, close", \
Lora hashes: "graffiti: 0123456789AB, other one: ffffffffffff", Version: v1.8.0"""  # noqa: E501


def test_all_three_parts() -> None:
    parsed = parse_infotext(WHOLE)
    assert parsed.prompt == "masterpiece, a corgi\nBREAK on a wall, <lora:graffiti:0.7>"
    assert parsed.negative == "bad hands,\n(worst quality:1.4)"
    assert parsed.parameters["Seed"] == "42"
    assert parsed.parameters["Hires prompt"] == "a corgi, close"
    assert parsed.parameters["Version"] == "v1.8.0"
    assert parsed.lora_hashes == {"graffiti": "0123456789ab", "other one": "ffffffffffff"}


@pytest.mark.parametrize(
    ("text", "prompt", "negative"),
    [
        ("", "", ""),
        ("a corgi", "a corgi", ""),
        ("a corgi\nSteps: 20, Seed: 1, Size: 8x8", "a corgi", ""),
        ("Steps: 20, Seed: 1, Size: 8x8", "", ""),
        ("Negative prompt: bad\nSteps: 20, Seed: 1, Size: 8x8", "", "bad"),
        ("a corgi\nNegative prompt: bad", "a corgi", "bad"),
        ("ratio: 3, note: this, more: words", "ratio: 3, note: this, more: words", ""),
        ("a corgi\r\nNegative prompt: bad\r\nSteps: 20, Sampler: x, Seed: 1", "a corgi", "bad"),
        (
            "(a:1.2), [b:c:0.5], {d|e}, __f__\nSteps: 20, Sampler: x, Seed: 1",
            "(a:1.2), [b:c:0.5], {d|e}, __f__",
            "",
        ),
        (
            "a\nNegative prompt: b\nNegative prompt: c\nSteps: 1, Seed: 2, Size: 3",
            "a",
            "b\nNegative prompt: c",
        ),
        ("a\nSteps: 1, Seed: 2, Size: 3\nTemplate: a {b|c}\nNegative Template: d", "a", ""),
        ("a\0\nSteps: 1, Seed: 2, Size: 3\0", "a\0", ""),
    ],
)
def test_parts_that_are_missing_or_odd(text: str, prompt: str, negative: str) -> None:
    parsed = parse_infotext(text)
    assert (parsed.prompt, parsed.negative) == (prompt, negative)


@pytest.mark.parametrize(
    ("value", "hashes"),
    [
        ("", {}),
        ('"a: 0123456789ab"', {"a": "0123456789ab"}),
        ("a: 0123456789ab", {"a": "0123456789ab"}),
        ('"a b: nohash"', {}),
        ('"a: 0123456789ab, a: ffffffffffff"', {"a": "ffffffffffff"}),
    ],
)
def test_hashes(value: str, hashes: dict[str, str]) -> None:
    assert parse_infotext(infotext("x", **{"Lora hashes": value})).lora_hashes == hashes


@pytest.mark.parametrize(
    ("prompt", "bare", "tags"),
    [
        ("a corgi, <lora:x:0.7>", "a corgi", [("x", 0.7)]),
        ("<lora:x:0.7>, a corgi", "a corgi", [("x", 0.7)]),
        ("a, <lora:x:0.7>, b", "a, b", [("x", 0.7)]),
        ("a <lora:x> b", "a b", [("x", None)]),
        ("<lora:x:te=0.5:unet=1>", "", [("x", 0.5)]),
        ("<lora:x:0.5:0.3> <lyco:y:1>", "", [("x", 0.5), ("y", 1.0)]),
        ("<hypernet:h:1> a", "a", []),
        ("a BREAK b <lora:x:much> AND c", "a BREAK b AND c", [("x", None)]),
        ("a\n<lora:x:1>\nb", "a\nb", [("x", 1.0)]),
        ("(a:1.2), <3", "(a:1.2), <3", []),
        ("<lora:unclosed:1", "<lora:unclosed:1", []),
        ("<lora::1> a", "a", []),
    ],
)
def test_tags_are_taken_out(prompt: str, bare: str, tags: list[tuple[str, float | None]]) -> None:
    text, found = split_tags(prompt)
    assert text == bare
    assert [(tag.name, tag.weight) for tag in found] == tags


@pytest.mark.parametrize(
    "piece", [" ", "a:", 'a:"', "a: b, ", '"', ",", "\n", "Negative prompt:", "<lora:", "a ", "\\"]
)
def test_long_hostile_texts_are_cut(piece: str) -> None:
    parsed = parse_infotext(piece * (1_000_000 // len(piece)))
    assert len(parsed.prompt) <= MAX_PROMPT
    assert len(parsed.negative) <= MAX_PROMPT


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["a", ": ", ",", '"', "\n", "Steps: 1, ", "Negative prompt:", "\\", "<lora:x:1>", " "]
        )
    ).map("".join)
)
def test_any_text_is_read(text: str) -> None:
    parsed = parse_infotext(text)
    assert all(isinstance(value, str) for value in parsed.parameters.values())
    assert isinstance(parsed.lora_hashes, dict)
    bare, tags = split_tags(parsed.prompt)
    again, none = split_tags(bare)
    assert len(bare) <= len(parsed.prompt)
    assert all(tag.name for tag in tags)
    assert len(again) <= len(bare) or none


PLAIN = (
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\n"),
        min_size=1,
        max_size=60,
    )
    .map(str.strip)
    .filter(bool)
)


@given(PLAIN, PLAIN)
def test_written_infotexts_are_read_again(prompt: str, negative: str) -> None:
    text = (
        f"{prompt}\nNegative prompt: {negative}\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed:"
        " 1, Size: 8x8"
    )
    if prompt.startswith("Negative prompt:"):
        return
    parsed = parse_infotext(text)
    assert (parsed.prompt, parsed.negative) == (prompt, negative)
