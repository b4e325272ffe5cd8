"""Insertion: the additions stand inside their segments, and nothing else has changed; for us and
for the host.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.insert import insert, is_harmless
from stylus_ext.core.prompt.parse import parse_prompt
from tests.core.prompt.host_reading import PROMPTS, Letters, Part, read

TAG = "trigger <lora:new:0.8>"
ADDITIONS = (
    "zzz",
    "zzz, (zzz:1.2)",
    r"zzz \(zzz\)",
    "<lora:zzz:0.8>",
    "zzz <lora:zzz:0.8>",
    "2 zzz",
    "猫",
)


@pytest.mark.parametrize(
    ("text", "additions", "expected"),
    [
        ("", {0: TAG}, "trigger <lora:new:0.8>"),
        (" ", {0: "x"}, "x "),
        ("a cat", {0: TAG}, "a cat, trigger <lora:new:0.8>"),
        ("a cat", {0: "<lora:new:1>"}, "a cat <lora:new:1>"),
        ("a cat,", {0: TAG}, "a cat, trigger <lora:new:0.8>"),
        ("a cat, ", {0: "x"}, "a cat, x "),
        ("a cat\n", {0: "x"}, "a cat, x\n"),
        ("a cat,\n\n", {0: "x"}, "a cat, x\n\n"),
        ("A cat sits.", {0: "x"}, "A cat sits. x"),
        ("(a cat:1.2)", {0: "x"}, "(a cat:1.2), x"),
        ("a <lora:u:1>", {0: "x"}, "a <lora:u:1>, x"),
        ("a, <lora:u:1>", {0: "x"}, "a, <lora:u:1> x"),
        ("<lora:u:1>", {0: "x"}, "<lora:u:1> x"),
        ("a BREAK b", {0: "x", 1: "y"}, "a, x BREAK b, y"),
        ("a,BREAK,b", {0: "x", 1: "y"}, "a, x BREAK,b, y"),
        ("a BREAK", {1: "y"}, "a BREAK y"),
        ("BREAK a", {0: "y"}, "y BREAK a"),
        ("a BREAK BREAK b", {1: "y"}, "a BREAK y BREAK b"),
        ("a AND b :1.2", {0: "x", 1: "y"}, "a, x AND b, y :1.2"),
        ("a:0.5 AND b", {0: "x"}, "a, x :0.5 AND b"),
        ("a AND b :1.2 <lora:u:1>", {1: "y"}, "a AND b, y :1.2 <lora:u:1>"),
        ("a # note", {0: "x"}, "a, x # note"),
        ("# note", {0: "x"}, "x # note"),
        ("a", {0: "  x  "}, "a, x"),
        ("a", {0: " "}, "a"),
        ("a", {}, "a"),
    ],
)
def test_where_additions_go(text: str, additions: dict[int, str], expected: str) -> None:
    inserted = insert(parse_prompt(text), additions)
    assert inserted.text == expected
    assert inserted.refused == ()


@pytest.mark.parametrize(
    ("text", "additions", "because"),
    [
        ("(a", {0: "x"}, "inside a bracket"),
        ("[a BREAK b", {0: "x"}, "inside a bracket"),
        ("{a|b", {0: "x"}, "inside a bracket"),
        ("a", {1: "x"}, "no part number 2"),
        ("a", {-1: "x"}, "no part number"),
        ("a", {0: "x)"}, "change how"),
        ("a", {0: "x BREAK y"}, "change how"),
        ("a :", {0: "2"}, "change how"),
        ("a <b:", {0: "<lora:x:1>"}, "change how"),
        ("a <b:", {0: "x>"}, "change how"),
    ],
)
def test_what_cannot_be_added_is_refused_with_the_reason(
    text: str, additions: dict[int, str], because: str
) -> None:
    inserted = insert(parse_prompt(text), additions)
    assert inserted.text == text
    (refusal,) = inserted.refused
    assert refusal.segment == next(iter(additions))
    assert because in refusal.why


def test_one_refusal_does_not_stop_the_others() -> None:
    inserted = insert(parse_prompt("(a AND b"), {0: "x", 1: "y"})
    assert inserted.text == "(a AND b, y"
    assert [refusal.segment for refusal in inserted.refused] == [0]


@pytest.mark.parametrize(
    "addition", ["x", "(x:1.2)", "[x]", r"x \(y\)", "<lora:x:1>, y", "[a:b:0.5]", "x.", "猫", ""]
)
def test_harmless(addition: str) -> None:
    assert is_harmless(addition)


@pytest.mark.parametrize(
    "addition",
    [
        "(x",
        "x)",
        "[x",
        "x]",
        "{x}",
        "a|b",
        "x AND y",
        "BREAK",
        "# x",
        "__x__",
        "x :1.2",
        "x\\",
        "${x}",
        "<lora:__x__:1>",
    ],
)
def test_not_harmless(addition: str) -> None:
    assert not is_harmless(addition)


@settings(deadline=None, max_examples=150)
@given(PROMPTS, st.dictionaries(st.integers(0, 3), st.sampled_from(ADDITIONS), max_size=3))
def test_without_the_additions_the_text_is_the_users(text: str, additions: dict[int, str]) -> None:
    prompt = parse_prompt(text)
    inserted = insert(prompt, additions)
    refused = {refusal.segment for refusal in inserted.refused}
    pattern, done = "", 0
    for index in sorted(set(additions) - refused):
        end = prompt.segments[index].end
        pattern += re.escape(text[done:end]) + ",? ?" + re.escape(additions[index]) + " ?"
        done = end
    assert re.fullmatch(pattern + re.escape(text[done:]), inserted.text)


CASES = (
    PROMPTS,
    st.integers(0, 2),
    st.sampled_from(["zzz", "<lora:zzz:0.8>", "zzz <lora:zzz:0.8>"]),
)


@settings(deadline=None, max_examples=200)
@given(*CASES)
def test_for_the_host_only_the_addition_is_new(text: str, index: int, addition: str) -> None:
    _only_the_addition_is_new(text, index, addition)


def test_nothing_is_added_to_a_comment() -> None:
    prompt = parse_prompt(" # why\n:1.2")
    inserted = insert(prompt, {0: "red"})
    assert inserted.text == prompt.text
    assert [refusal.segment for refusal in inserted.refused] == [0]


@pytest.mark.long
@settings(deadline=None, max_examples=5000)
@given(*CASES)
def test_for_the_host_only_the_addition_is_new_however_long_one_looks(
    text: str, index: int, addition: str
) -> None:
    _only_the_addition_is_new(text, index, addition)


def _only_the_addition_is_new(text: str, index: int, addition: str) -> None:
    # The host glues together what stood around a network or a comment: AND<lora:x:1>y is no AND for
    # it, but is one for us.
    text = re.sub(r"(<\w+:[^>]+>)", r" \1 ", text).replace("#", " # (why\n")
    prompt = parse_prompt(text)
    inserted = insert(prompt, {index: addition})
    if inserted.refused:
        return
    try:
        before = read(text)
    except ValueError:  # (a:1.2.3): the host itself cannot read this prompt
        return
    after = read(inserted.text)
    assert after.networks == sorted([*before.networks, *read(addition).networks])
    target = sum(segment.separator == "AND" for segment in prompt.segments[1 : index + 1])
    assert [_spoken(part) for part in after.parts] == [_spoken(part) for part in before.parts]
    added = [weight for letter, weight in after.parts[target].letters if letter == "z"]
    assert added == [1.0] * addition.replace("lora:zzz", "").count("z")


def _spoken(part: Part) -> tuple[float, Letters]:
    return part.weight, [
        (letter, round(w, 6)) for letter, w in part.letters if letter not in ", \t\nz"
    ]
