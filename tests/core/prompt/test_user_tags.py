"""The user's own extra networks, as the host would read them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from stylus_ext.core.prompt.parse import number, parse_prompt
from tests.core.prompt.host_reading import PROMPTS, read


@pytest.mark.parametrize(
    ("text", "kind", "name", "weight", "arguments"),
    [
        ("<lora:x>", "lora", "x", None, ()),
        ("<lora:x:0.8>", "lora", "x", 0.8, ("0.8",)),
        ("<lora:x:0.8:0.5>", "lora", "x", 0.8, ("0.8", "0.5")),
        ("<lora:x:te=0.3:unet=0.6>", "lora", "x", 0.3, ("te=0.3", "unet=0.6")),
        ("<lora:x:unet=0.6>", "lora", "x", 0.6, ("unet=0.6",)),
        ("<lora:x:1:dyn=4>", "lora", "x", 1.0, ("1", "dyn=4")),
        ("<lora:dyn=4:x:1>", "lora", "x", 1.0, ("dyn=4", "1")),
        ("<lora:x:-0.5>", "lora", "x", -0.5, ("-0.5",)),
        ("<lora:x:strong>", "lora", "x", None, ("strong",)),
        ("<lora:x:nan>", "lora", "x", None, ("nan",)),
        ("<lora:a b (v2):1>", "lora", "a b (v2)", 1.0, ("1",)),
        ("<lora:a=b=c:1>", "lora", "a=b=c", 1.0, ("1",)),
        ("<lora:a=b>", "lora", "", None, ("a=b",)),
        ("<lora:x#, really\n:1>", "lora", "x\n", 1.0, ("1",)),
        ("<lyco:y:1>", "lyco", "y", 1.0, ("1",)),
        ("<hypernet:z:0.4>", "hypernet", "z", 0.4, ("0.4",)),
        ("<anything:w>", "anything", "w", None, ()),
        ("<lora:猫:1>", "lora", "猫", 1.0, ("1",)),
        ("<lora:x:0.2@0,1@10>", "lora", "x", 1.0, ("0.2@0,1@10",)),
        ("<lora:x:[0.2@0, -0.9@0.5]>", "lora", "x", -0.9, ("[0.2@0, -0.9@0.5]",)),
        ("<lora:x:0.4:hr=0.8@0,1@0.5>", "lora", "x", 0.4, ("0.4", "hr=0.8@0,1@0.5")),
        (
            "<lora:x:0.4:lbw=XYZ:start=3:stop=9>",
            "lora",
            "x",
            0.4,
            ("0.4", "lbw=XYZ", "start=3", "stop=9"),
        ),
        ("<lora:x:0.2@0,b@10>", "lora", "x", None, ("0.2@0,b@10",)),
        ("<lora:x:0.2@>", "lora", "x", None, ("0.2@",)),
    ],
)
def test_a_tag_is_read(
    text: str, kind: str, name: str, weight: float | None, arguments: tuple[str, ...]
) -> None:
    (tag,) = parse_prompt(f"a {text} b").user_tags
    assert (tag.kind, tag.name, tag.weight, tag.arguments) == (kind, name, weight, arguments)
    assert f"a {text} b"[tag.start : tag.end] == text


@pytest.mark.parametrize(
    "text", ["<lora>", "<lora:>", "<:x:1>", "<lora:x", "lora:x:1>", "a < b > c", "# <lora:x:1>"]
)
def test_what_is_no_tag(text: str) -> None:
    assert parse_prompt(text).user_tags == ()


def test_tags_inside_brackets_and_variants_are_the_users_too() -> None:
    tags = parse_prompt("(a <lora:x:1>:1.2) {<lora:y:1>|b} [<lora:z:1>:0.5]").user_tags
    assert [tag.name for tag in tags] == ["x", "y", "z"]


@settings(deadline=None, max_examples=150)
@given(PROMPTS)
def test_the_hosts_tags_are_ours(text: str) -> None:
    if "#" not in text:  # a comment in a tag is not in its name
        ours = [
            (tag.kind, text[tag.start + len(tag.kind) + 2 : tag.end - 1])
            for tag in parse_prompt(text).user_tags
        ]
        assert sorted(ours) == read(text).networks


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("-.5", -0.5), ("", None), ("x", None), ("inf", None), ("9" * 400, None)],
)
def test_numbers_are_finite(text: str, value: float | None) -> None:
    assert number(text) == value
