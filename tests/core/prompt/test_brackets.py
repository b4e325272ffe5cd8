"""What brackets mean: the attention of each word as the host computes it, and what is no text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import HEAVIEST, TEXT, structure, tokenise
from tests.core.prompt.host_reading import read

ATTENTION = st.lists(
    st.sampled_from(
        ["(", ")", "[", "]", ":1.2)", ":0.5)", ": .9 )", " AND ", "cat", "dog ", ",", "\\(", "\\)"]
    ),
    max_size=14,
).map("".join)


def weights(text: str) -> dict[str, float]:
    tokens = tokenise(text)
    brackets = structure(tokens)
    return {
        token.text.strip(): round(brackets.weights[index], 4)
        for index, token in enumerate(tokens)
        if token.kind == TEXT and index not in brackets.silent and not token.text.isspace()
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", {"a": 1.0}),
        ("(a)", {"a": 1.1}),
        ("((a)) b", {"a": 1.21, "b": 1.0}),
        ("(a:1.3)", {"a": 1.3}),
        ("[a]", {"a": 0.9091}),
        ("([a]:2)", {"a": 1.8182}),
        ("(a, (b:2):0.5)", {"a": 0.5, "b": 1.0}),
        (r"\(a\)", {"a": 1.0}),
        ("(a", {"a": 1.1}),
        ("a) b", {"a": 1.0, "b": 1.0}),
        ("(a AND b)", {"a": 1.1, "b": 1.0}),
        ("(a BREAK b)", {"a": 1.1, "b": 1.1}),
        ("[a:b:0.5]", {"a": 1.0, "b": 1.0}),
        ("[a|b]", {"a": 1.0, "b": 1.0}),
        ("([a|b]:1.5)", {"a": 1.5, "b": 1.5}),
        ("{a|(b)}", {"a": 1.0, "b": 1.1}),
        ("(a:1.2.3)", {"a": 1.0}),
        ("(a:-1)", {"a": -1.0}),
        ("(a:0)", {"a": 0.0}),
        ("((((a:99):99):99):99)", {"a": HEAVIEST}),
    ],
)
def test_attention(text: str, expected: dict[str, float]) -> None:
    assert weights(text) == expected


@settings(deadline=None, max_examples=150)
@given(ATTENTION)
def test_attention_is_the_hosts(text: str) -> None:
    text += " end"  # a weight at the very end would be an AND's
    tokens = tokenise(text)
    brackets = structure(tokens)
    ours = [
        (letter, round(brackets.weights[index], 6))
        for index, token in enumerate(tokens)
        if token.kind != "and" and index not in brackets.silent
        for letter in (token.text[1:] if token.kind == "escape" else token.text)
    ]
    theirs = [
        (letter, round(weight, 6)) for part in read(text).parts for letter, weight in part.letters
    ]
    assert ours == theirs


@pytest.mark.parametrize(
    ("text", "separators"),
    [
        ("[a:b:0.5]", "[ : : ]"),
        ("[a:0.5]", "[ : ]"),
        ("[a::0.5]", "[ : : ]"),
        ("[a:b]", ""),
        ("[a|b|c]", "[ | | ]"),
        ("{a|b}", "{ | }"),
        ("{a}", ""),
        ("[(a:1.2):b:10]", "[ : : ]"),
        ("[a:[b:c:5]:10]", "[ : [ : : ] : ]"),
        ("a | b", "|"),
        ("[a:b:half]", ""),
        ("re:zero", ""),
    ],
)
def test_alternatives_are_separated(text: str, separators: str) -> None:
    tokens = tokenise(text)
    found = sorted(structure(tokens).separators)
    assert " ".join(tokens[index].text for index in found) == separators


@pytest.mark.parametrize(
    ("text", "variants"),
    [("{a|b}", True), ("{2$$a}", True), ("{a}", False), ("a|b}", False), ("[a|b]", False)],
)
def test_variants_need_dynamic_prompts(text: str, variants: bool) -> None:
    assert structure(tokenise(text)).variants is variants


def test_depths_count_every_kind_and_start_anew_after_and() -> None:
    assert structure(tokenise("([{a")).depths == (1, 2, 3, 3)
    assert structure(tokenise("([{a AND b")).depths == (1, 2, 3, 3, 1, 1)
    assert structure(tokenise("(a))")).depths == (1, 1, 0, 0)
