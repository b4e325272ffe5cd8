"""BREAK and AND: where a segment's own text starts and ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from stylus_ext.core.prompt.parse import parse_prompt
from tests.core.prompt.host_reading import PROMPTS, read


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", [("", "", None)]),
        ("  ", [("", "", None)]),
        ("a cat", [("", "a cat", None)]),
        (" a BREAK  b \n", [("", "a", None), ("BREAK", "b", None)]),
        ("a AND b :1.2", [("", "a", None), ("AND", "b", 1.2)]),
        ("a:0.8 AND b : -1.", [("", "a", 0.8), ("AND", "b", -1.0)]),
        ("a :1.2 BREAK b AND c", [("", "a :1.2", None), ("BREAK", "b", None), ("AND", "c", None)]),
        ("a BREAK b :.5 AND c", [("", "a", None), ("BREAK", "b", 0.5), ("AND", "c", None)]),
        (
            "a BREAK BREAK AND",
            [("", "a", None), ("BREAK", "", None), ("BREAK", "", None), ("AND", "", None)],
        ),
        ("a AND b :1.2 <lora:x:1> ", [("", "a", None), ("AND", "b", 1.2)]),
        ("a <lora:x:1>", [("", "a <lora:x:1>", None)]),
        ("a <lora:x:1> :2", [("", "a <lora:x:1>", 2.0)]),
        ("a, # why\nBREAK # b", [("", "a,", None), ("BREAK", "", None)]),
        ("a # why\n b # more", [("", "a # why\n b", None)]),
        ("a AND b :1.2 # why", [("", "a", None), ("AND", "b", 1.2)]),
        ("16:9", [("", "16", 9.0)]),
        ("(a:1.2)", [("", "(a:1.2)", None)]),
        ("[a:0.5]", [("", "[a:0.5]", None)]),
        ("a,BREAK,b", [("", "a,", None), ("BREAK", ",b", None)]),
    ],
)
def test_segments(text: str, segments: list[tuple[str, str, float | None]]) -> None:
    prompt = parse_prompt(text)
    assert [(s.separator, text[s.start : s.end], s.weight) for s in prompt.segments] == segments
    assert [s.index for s in prompt.segments] == list(range(len(segments)))


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("", [True]),
        ("(a)", [True]),
        ("(a", [False]),
        ("[a", [False]),
        ("{a", [False]),
        (r"\(a", [True]),
        ("a)", [True]),
        ("(a BREAK b)", [False, True]),
        ("(a AND b)", [False, True]),
        ("{a AND b|c}", [False, True]),
        ("(a [b) c]", [True]),
        ("(a # )", [False]),
        ("a <lora:(:1>", [True]),
        ("(a :1.2", [False]),
    ],
)
def test_an_end_inside_a_bracket_is_known(text: str, closed: list[bool]) -> None:
    assert [segment.closed for segment in parse_prompt(text).segments] == closed


@settings(deadline=None, max_examples=150)
@given(PROMPTS)
def test_segments_lie_in_order_and_carry_the_hosts_weights(text: str) -> None:
    prompt = parse_prompt(text)
    edges = [edge for segment in prompt.segments for edge in (segment.start, segment.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= len(text)
    for segment in prompt.segments:
        own = text[segment.start : segment.end]
        assert own == own.strip()
    if "#" not in text and "<" not in text:  # the host glues together what stood around these
        parts = [list(group) for group in _parts(text)]
        assert [part[-1] for part in parts] == [part.weight for part in read(text).parts]


def _parts(text: str) -> list[list[float]]:
    """The weights of the segments, a list per AND part."""
    parts: list[list[float]] = []
    for segment in parse_prompt(text).segments:
        if segment.separator != "BREAK":
            parts.append([])
        parts[-1].append(1.0 if segment.weight is None else segment.weight)
    return parts
