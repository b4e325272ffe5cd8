"""Embeddings as words in texts: whatever the user wrote stays, and the word stands in it once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.adapter_type import EMBEDDING, HYPERNETWORK
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, Pick, Tag, Task
from stylus_ext.core.embedding_words import embedding_word, mentions, weight_in, why_no_word
from stylus_ext.core.prompt.insert import without
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.core.tags import TagInputs, weigh, write_tags

LORA_KEY, WORD, NEGATIVE, HYPER = map(AdapterKey.civitai, (1, 2, 3, 4))
PARTS = st.sampled_from(
    [
        "a fox",
        "(oil:1.2)",
        "[night:day:0.5]",
        ", ",
        " AND ",
        " BREAK ",
        "(",
        "]",
        "<lora:x:1>",
        "\n",
    ]
    + [
        "# note",
        "{red|blue}",
        "__wild__",
        "\\(",
        "griffin_ti",
        "GRIFFIN_TI,",
        "EasyNegative",
        ":1.1",
    ]
)
TEXTS = st.lists(PARTS, max_size=8).map("".join)


def inputs(prompt: str, negative: str, weight: float | None = 1.0) -> TagInputs:
    parsed = parse_prompt(prompt)
    last = parsed.segments[-1]
    tasks = (Task(prompt, 0, len(prompt), last.index),)
    picks = (
        Pick(LORA_KEY, 0, "fox", 0.8, "fits"),
        Pick(WORD, 0, "griffin", weight, "fits", type=EMBEDDING),
        Pick(HYPER, 0, "paint", None, "always", type=HYPERNETWORK),
        Pick(NEGATIVE, 0, "easy", 1.0, "always", pinned=True, type=EMBEDDING, negative=True),
    )
    stems = {LORA_KEY: "fox", WORD: "griffin_ti", NEGATIVE: "EasyNegative", HYPER: "paint"}
    tags = {key: Tag(key, stem, True) for key, stem in stems.items()}
    settings = with_values(Settings(), {"weights": {"total_cap": 0.0}})
    return TagInputs(parsed, parse_prompt(negative), Composition(tasks, picks), tags, settings)


ALL = Mask(frozenset({LORA_KEY, WORD, NEGATIVE, HYPER}))


@given(prompt=TEXTS, negative=TEXTS, weight=st.sampled_from([None, 1.0, 0.7, 1.25]))
def test_texts_stay_and_words_are_added_once(
    prompt: str, negative: str, weight: float | None
) -> None:
    made = write_tags(inputs(prompt, negative, weight), ALL)
    assert without(made.prompt, prompt, made.prompt) == prompt
    assert without(made.negative_prompt, negative, made.negative_prompt) == negative
    written = [note.code for note in made.notes]
    for text, before, stem in (
        (made.prompt, prompt, "griffin_ti"),
        (made.negative_prompt, negative, "EasyNegative"),
    ):
        count = text.lower().count(stem.lower())
        was_there = before.lower().count(stem.lower())
        assert count - was_there in ((0,) if mentions(before, stem) else (0, 1))
        is_closed = parse_prompt(before).segments[-1].closed
        if count == was_there and not mentions(before, stem) and text is made.prompt and is_closed:
            assert "no_trigger" in written
    assert "griffin_ti" not in made.negative_prompt or "griffin_ti" in negative.lower()


@given(prompt=TEXTS, negative=TEXTS)
def test_only_what_is_on_is_written(prompt: str, negative: str) -> None:
    made = write_tags(inputs(prompt, negative), Mask(frozenset()))
    assert (made.prompt, made.negative_prompt) == (prompt, negative)


def test_each_type_as_the_webui_reads_it() -> None:
    made = write_tags(inputs("a fox", "blurry", 1.1), ALL)
    assert made.prompt == (
        "a fox, (griffin_ti:0.36) <lora:fox:0.26> <hypernet:paint:0.33>"  # they share one task
    )
    assert made.negative_prompt == "blurry, EasyNegative"
    assert write_tags(inputs("a fox", ""), Mask(frozenset({NEGATIVE}))).negative_prompt == (
        "EasyNegative"
    )


def test_embeddings_take_nothing_from_the_limit_of_weights() -> None:
    given = inputs("a fox", "")
    limit = with_values(Settings(), {"weights": {"total_cap": 0.5}}).weights
    weights = weigh(given.composition, Mask(frozenset({WORD, NEGATIVE})), limit)
    assert weights == {WORD: 1.0, NEGATIVE: 1.0}


@given(weight=st.floats(-3, 3, allow_nan=False))
def test_a_weight_is_attention(weight: float) -> None:
    word = embedding_word("stem", weight)
    parsed = parse_prompt(word)
    assert not parsed.unresolved
    assert "stem" in word or abs(weight) < 0.01
    assert (word == "stem") == (f"{weight:.2f}" == "1.00")
    if word:
        assert weight_in(f"a fox, {word} <lora:x:1>", "stem") == pytest.approx(weight, abs=0.006)


@pytest.mark.parametrize("stem", ["bad (1)", "a,b", "x:y", "[v2]", "a AND b", "BREAK", "a|b", ""])
def test_names_that_mean_something_in_a_prompt(stem: str) -> None:
    assert why_no_word(stem) is not None


@pytest.mark.parametrize("stem", ["EasyNegative", "bad-hands-5", "By bad artist -neg", "v1.3_75t"])
def test_names_that_can_stand_as_words(stem: str) -> None:
    assert why_no_word(stem) is None
