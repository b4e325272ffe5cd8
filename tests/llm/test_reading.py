"""Answers in every shape that models and servers give them, and what is read from them."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.llm.schema import (
    ListOf,
    LlmAnswer,
    LlmMessage,
    Text,
    Unusable,
    Whole,
    message_of,
    read,
    shortened,
)
from tests.chat_service.answers import completion


class Task(LlmAnswer):
    text: Text
    picks: ListOf[Whole] = []


class Tasks(LlmAnswer):
    tasks: Annotated[ListOf[Task], shortened(4)]


GOOD = {"tasks": [{"text": 'a {corgi} "there"', "picks": [1, 2]}]}
TEXT = json.dumps(GOOD)


def reads(message: Any, finish: str = "stop") -> Any:
    return read(message_of(completion(message, finish)), Tasks)[0].model_dump()


@pytest.mark.parametrize(
    "message",
    [
        TEXT,
        f"  {TEXT}\n",
        f"```json\n{TEXT}\n```",
        f"Sure! Here is the plan:\n```\n{TEXT}\n```\nTell me if you need {{more}}.",
        f"Here you are: {TEXT} I hope it helps :-}}",
        f"<think>The user {{wants}} a corgi.</think>{TEXT}",
        f"The user wants a corgi.</think>\n\n{TEXT}",
        f"<think>one</think><think>two {TEXT[:9]}</think> {TEXT}",
        f"{TEXT}<think>was that right?",
        f"{{}} {{'tasks': []}} {TEXT}",
        TEXT[:-1],
        TEXT[:-2] + " ",
        TEXT[:-3],
        json.dumps({"result": GOOD}),
        json.dumps({"name": "plan", "arguments": GOOD}),
        json.dumps(GOOD["tasks"]),
        json.dumps(TEXT),
        {
            "role": "assistant",
            "content": [{"type": "text", "text": TEXT[:10]}, {"type": "text", "text": TEXT[10:]}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "plan", "arguments": TEXT}}
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "plan", "arguments": GOOD}}],
        },
        {"role": "assistant", "content": "", "function_call": {"name": "plan", "arguments": TEXT}},
        {"role": "assistant", "content": "", "reasoning_content": f"I will answer {TEXT}"},
        {"role": "assistant", "content": None, "reasoning": TEXT},
        {"role": "assistant", "content": TEXT, "refusal": None},
        TEXT.replace("[1, 2]", '["1", 2.0]'),
        TEXT.replace("[1, 2]", "[1, 2,]"),
        TEXT.replace('"tasks"', "tasks").replace('"picks"', "'picks'"),
        TEXT.replace("]}]}", "]}],}  // done"),
    ],
)
def test_the_object_is_found(message: Any) -> None:
    assert reads(message) == GOOD


def test_a_bare_thing_where_a_list_belongs() -> None:
    assert reads('{"tasks": {"text": 7, "picks": 1}}') == {"tasks": [{"text": "7", "picks": [1]}]}


@pytest.mark.parametrize(
    ("message", "finish", "fault"),
    [
        ("", "stop", "empty"),
        (None, "stop", "empty"),
        ("   ", "stop", "empty"),
        ({"role": "assistant"}, "stop", "empty"),
        ({"role": "assistant", "content": "", "reasoning_content": "hm"}, "stop", "unreadable"),
        ("<think>endless", "stop", "unreadable"),
        ("<think>endless", "length", "cut"),
        (TEXT[:-3], "length", "cut"),
        (TEXT[:20], "stop", "unreadable"),
        ("prose", "stop", "unreadable"),
        ('{"tasks": [{"picks": [1]}]}', "stop", "unreadable"),
        ('{"tasks": [{"text": "a", "picks": ["one"]}]}', "stop", "unreadable"),
        ('{"tasks": [{"text": "a", "picks": [1.5]}]}', "stop", "unreadable"),
        ('{"tasks": ["a"]}', "stop", "unreadable"),
        ('{"tasks": [{"text": {}}]}', "stop", "unreadable"),
        ("7", "stop", "unreadable"),
        ({"role": "assistant", "content": "", "refusal": "No."}, "stop", "refusal"),
        ("", "content_filter", "refusal"),
        ({"role": "assistant", "content": {"tasks": []}}, "stop", "empty"),
        ({"tool_calls": "x", "content": 7}, "stop", "empty"),
    ],
)
def test_what_cannot_be_read_says_why(message: Any, finish: str, fault: str) -> None:
    with pytest.raises(Unusable) as caught:
        reads(message, finish)
    assert caught.value.fault == fault
    assert str(caught.value)


def test_a_reply_in_spite_of_the_limit_is_taken() -> None:
    assert reads(TEXT, "length") == GOOD


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": -1, "completion_tokens": 1},
    ],
)
def test_tokens_that_nobody_counted(usage: Any) -> None:
    assert message_of(completion("x", usage=usage)).tokens is None
    assert message_of(completion("x")).tokens == (100, 20)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        found, _ = read(message_of(body), Tasks)
    except Unusable:
        return
    assert len(found.tasks) <= 4


@given(st.text(max_size=300), st.sampled_from(["stop", "length", "content_filter"]))
def test_any_text_is_read_or_refused(text: str, finish: str) -> None:
    for said in (text, TEXT[:13] + text, text + TEXT, f"<think>{text}</think>{text}"):
        try:
            found = reads(said, finish)
        except Unusable:
            continue
        assert set(found) == {"tasks"}
        assert all(isinstance(task["text"], str) for task in found["tasks"])


HEAVY = [
    "<think>" * 30_000,
    "{" * 200_000,
    '{"a":[' * 50_000,
    "```\n" * 50_000,
    '{"tasks": "' * 20_000,
    "</think>" * 30_000,
    "\\" * 200_000 + "{",
]


@pytest.mark.parametrize("text", HEAVY)
def test_what_is_made_to_take_long_is_refused(text: str) -> None:
    with pytest.raises(Unusable):
        read(LlmMessage((text,)), Tasks)


@pytest.mark.long
@pytest.mark.parametrize("text", HEAVY)
def test_what_is_made_to_take_long_does_not(text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(Unusable):
        read(LlmMessage((text,)), Tasks)
    assert time.perf_counter() - began < 2.0
