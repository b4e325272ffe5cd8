"""The whole prompt: the identity, linear time, and what kind of prompt it is."""

from __future__ import annotations

import gc
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import phrases
from tests.core.prompt.host_reading import FRAGMENTS, PROMPTS

LONGEST = 20_000
REPEATED = (
    "(¦[¦{¦)¦]¦}¦|¦:¦\\¦_¦__a¦<a:¦<a:#¦<a:#\n¦<a:#b\n¦#¦:1 ¦[a:¦[:¦{9¦${¦$$¦"
    " :¦(a:1¦(a:1.2)¦[a:b:0.5]¦{a|b}¦{2$$¦a AND ¦a BREAK ¦a, ¦a\n¦9¦ ¦猫¦\ud800¦\x00¦a. "
).split("¦")


@settings(deadline=None, max_examples=150)
@given(st.text(st.characters()) | PROMPTS)
def test_rendering_what_was_parsed_is_the_identity(text: str) -> None:
    assert parse_prompt(text).render() == text


@settings(deadline=None, max_examples=8)
@given(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=5).map("".join))
def test_the_identity_holds_for_long_prompts(unit: str) -> None:
    text = (unit * LONGEST)[:LONGEST]
    prompt = parse_prompt(text)
    assert prompt.render() == text
    assert all(text[piece.start : piece.end].strip() for piece in phrases(prompt))


@pytest.mark.parametrize("unit", REPEATED, ids=ascii)
def test_twenty_thousand_characters_of_anything_are_quick(unit: str) -> None:
    """Here 20 to 70 ms; something quadratic would take seconds."""
    text = (unit * LONGEST)[:LONGEST]
    assert any(_seconds(text) < 0.4 for _ in range(3))


def test_a_common_prompt_takes_no_time() -> None:
    text = "masterpiece, best quality, (red hair:1.2), 1girl, [a|b], <lora:x:0.8>, " * 5
    assert any(_seconds(text) < 0.01 for _ in range(5))


def _seconds(text: str) -> float:
    gc.collect()
    start = time.process_time()
    prompt = parse_prompt(text)
    taken = time.process_time() - start
    assert prompt.render() == text
    return taken


@pytest.mark.parametrize(
    ("text", "unresolved"),
    [
        ("a cat", False),
        ("__color__ cat", True),
        ("{red|blue} cat", True),
        ("{2$$red|blue}", True),
        ("{red} cat", False),
        ("[red|blue] cat", False),
        ("${x}", True),
        ("<lora:__any__:1>", True),
        ("<lora:{a|b}:1>", True),
        ("<lora:a_b:1>", False),
        ("# {a|b}", False),
    ],
)
def test_what_only_dynamic_prompts_can_resolve_is_known(text: str, unresolved: bool) -> None:
    assert parse_prompt(text).unresolved is unresolved


def test_a_prompt_is_a_value() -> None:
    assert parse_prompt("a, (b)") == parse_prompt("a, (b)")
    assert hash(parse_prompt("a, (b)")) == hash(parse_prompt("a, (b)"))
