from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.prompt.insert import insert, pieces, without
from stylus_ext.core.prompt.parse import parse_prompt

texts = st.text(alphabet="ab ,()<>:#\nBREAK", max_size=30) | st.sampled_from(
    ["a fox BREAK a tree", "a fox, a fox", "", "café 🦊, x"]
)
TAGS = " <lora:my_fox:0.6> <lora:oak:0.8>"


@given(
    texts,
    st.lists(
        st.tuples(st.integers(0, 30), st.text(alphabet="ab, <>:1", min_size=1, max_size=8)),
        max_size=4,
    ),
)
def test_what_was_inserted_anywhere_comes_out_again(
    before: str, additions: list[tuple[int, str]]
) -> None:
    after = before
    for place, addition in sorted(additions, reverse=True):
        after = after[:place] + addition + after[place:]
    assert without(after, before, after) == before
    assert sum(map(len, pieces(before, after))) == len(after) - len(before)


@given(texts, texts, st.text(alphabet="xyz ", max_size=10))
def test_what_the_user_writes_before_and_after_it_stays(before: str, front: str, end: str) -> None:
    after = before + TAGS
    assert without(front + after + end, before, after) == front + before + end


def test_trigger_words_of_several_parts_come_out_of_each() -> None:
    before = "a fox BREAK a tree"
    prompt = parse_prompt(before)
    after = insert(prompt, {0: "foxy", 1: "oaky"}).text + TAGS
    assert "".join(pieces(before, after)).count("foxy") == 1
    assert pieces(before, after)[-1].endswith(TAGS)
    assert without(after, before, after) == before
    assert without("so, " + after, before, after) == "so, " + before


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a fox, red <lora:my_fox:0.6> <lora:oak:0.8>", "a fox, red"),
        ("a fox <lora:oak:0.8>, at night", "a fox, at night"),
        ("a fox <lora:my_fox:0.9>", "a fox <lora:my_fox:0.9>"),
        ("something else", "something else"),
        ("", ""),
    ],
)
def test_where_the_text_was_changed_the_tags_alone_go(text: str, left: str) -> None:
    assert without(text, "a fox", "a fox, foxy <lora:my_fox:0.6> <lora:oak:0.8>") == left


@pytest.mark.long
def test_a_long_prompt_takes_no_time() -> None:
    before = "word, " * 15_000
    began = time.perf_counter()
    without(before[:100] + before + TAGS, before, before[:30_000] + "x " + before[30_000:] + TAGS)
    assert time.perf_counter() - began < 2
