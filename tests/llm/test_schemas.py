"""Answers against their models: what fits, what is corrected, and what is refused."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from stylus_ext.llm.schema import (
    Flag,
    ListOf,
    LlmAnswer,
    Number,
    Text,
    Whole,
    first_problem,
    server_schema,
    shortened,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


class Inner(LlmAnswer):
    name: Text
    size: Whole = 0


class Everything(LlmAnswer):
    text: Text = ""
    short: Annotated[Text, shortened(3)] = ""
    number: Annotated[Number, Field(ge=0, le=100)] = 0.0
    whole: Whole = 0
    flag: Flag = False
    words: ListOf[Text] = []
    few: Annotated[ListOf[Whole], shortened(2)] = []
    inner: Inner | None = None
    inners: ListOf[Inner] = []


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("number", "0.8", 0.8),
        ("number", 1, 1.0),
        ("number", "80%", 80.0),
        ("number", None, 0.0),
        ("text", 7, "7"),
        ("text", "a\0b\ud800", "a b?"),
        ("short", "abcdef", "abc"),
        ("whole", 2.0, 2),
        ("whole", "3", 3),
        ("flag", "Yes ", True),
        ("flag", False, False),
        ("words", "a", ["a"]),
        ("words", None, []),
        ("words", "", []),
        ("few", [1, 2, 3], [1, 2]),
        ("inners", {"name": 1}, [Inner(name="1")]),
    ],
)
def test_small_slips_are_corrected(name: str, value: Any, wanted: Any) -> None:
    assert getattr(Everything.model_validate({name: value}), name) == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "much"),
        ("number", 300),
        ("number", True),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", 10**400),
        ("whole", -(10**400)),
        ("whole", "9" * 5000),
        ("whole", 1.5),
        ("whole", True),
        ("text", {}),
        ("text", True),
        ("flag", "maybe"),
        ("flag", 1),
        ("inner", []),
        ("inners", [{}]),
        ("inners", ["a"]),
        ("words", [{}]),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate({name: value})
    assert first_problem(caught.value).startswith(name)
    assert "much" not in first_problem(caught.value)


def test_an_answer_is_an_object() -> None:
    values: list[Any] = [None, [], "text", 7]
    for value in values:
        with pytest.raises(ValidationError):
            Everything.model_validate(value)


def test_unknown_fields_are_dropped_by_name() -> None:
    dropped: list[str] = []
    answer = Everything.model_validate({"inner": {"name": "a", "b": 1}, "c": 2}, context=dropped)
    assert answer.inner == Inner(name="a")
    assert dropped == ["c", "b"]


@given(JSON)
def test_what_fits_fits_again(value: Any) -> None:
    for name in Everything.model_fields:
        try:
            once = Everything.model_validate({name: value})
        except ValidationError:
            continue
        assert Everything.model_validate(once.model_dump()) == once


def test_a_server_gets_the_schema_without_limits_and_references() -> None:
    class Small(LlmAnswer):
        few: Annotated[ListOf[Inner], shortened(2)]
        number: Annotated[Number, Field(ge=0, le=2)] = 0.0

    inner = {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "size"],
        "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
    }
    assert server_schema(Small) == {
        "type": "object",
        "additionalProperties": False,
        "required": ["few", "number"],
        "properties": {"few": {"type": "array", "items": inner}, "number": {"type": "number"}},
    }


def test_a_field_with_a_default_may_be_missing_or_null() -> None:
    assert Inner.model_validate({"name": "x"}) == Inner.model_validate({"name": "x", "size": None})
    with pytest.raises(ValidationError):
        Inner.model_validate({"name": None})
