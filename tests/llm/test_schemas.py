"""Values against the schemas that we ask with: what fits, what is put right, and what is refused
with its place.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.llm.reply import Misfit, fitted, shape_of

NUMBER = {"type": "number", "minimum": 0.0, "maximum": 2.0}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "schema", "wanted"),
    [
        ("0.8", NUMBER, 0.8),
        (1, NUMBER, 1),
        (None, {"type": ["number", "null"]}, None),
        (None, {}, None),
        ("80%", {"type": "number"}, 80.0),
        (7, {"type": "string"}, "7"),
        ("a\0b\ud800", {"type": "string"}, "a b?"),
        ("abcdef", {"type": "string", "maxLength": 3}, "abc"),
        (2.0, {"type": "integer"}, 2),
        ("3", {"type": "integer"}, 3),
        ("Yes ", {"type": "boolean"}, True),
        (False, {"type": "boolean"}, False),
        ("a", {"type": "array", "items": {"type": "string"}}, ["a"]),
        (None, {"type": "array"}, []),
        ("", {"type": "array"}, []),
        ([1, 2, 3], {"type": "array", "items": {"type": "integer"}, "maxItems": 2}, [1, 2]),
        ("style", {"type": "string", "enum": ["style"]}, "style"),
        (
            {"a": 1, "b": 2},
            {"type": "object", "properties": {"a": {"type": "integer"}, "c": {"type": "string"}}},
            {"a": 1},
        ),
    ],
)
def test_small_slips_are_put_right(value: Any, schema: dict[str, Any], wanted: Any) -> None:
    assert fitted(value, schema) == wanted


@pytest.mark.parametrize(
    ("value", "schema", "said"),
    [
        ("much", NUMBER, "the answer must be a number"),
        (3, NUMBER, "between 0.0 and 2.0"),
        (True, NUMBER, "a number"),
        (float("nan"), NUMBER, "a number"),
        (float("inf"), {"type": "number"}, "a number"),
        (10**400, {"type": "number"}, "a number"),
        (-(10**400), {"type": "integer"}, "a number"),
        (None, NUMBER, "a number"),
        ({}, {"type": "string"}, "text"),
        (True, {"type": "string"}, "text"),
        (1.5, {"type": "integer"}, "whole number"),
        ("maybe", {"type": "boolean"}, "true or false"),
        (1, {"type": "boolean"}, "true or false"),
        ([], {"type": "object"}, "an object"),
        ({}, {"type": "object", "required": ["a"], "properties": {"a": {}}}, "lacks 'a'"),
        ("hat", {"type": "string", "enum": ["style", "pose"]}, "one of style, pose"),
        ([{}], {"type": "array", "items": {"type": "string"}}, "an item of the answer"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(
    value: Any, schema: dict[str, Any], said: str
) -> None:
    with pytest.raises(Misfit, match=said):
        fitted(value, schema)


def test_what_the_schema_does_not_name_is_dropped_by_name() -> None:
    dropped: list[str] = []
    schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}
    assert fitted({"a": {"b": 1}, "c": 2}, schema, dropped=dropped) == {"a": {}}
    assert dropped == ["c", "b"]


@given(JSON)
def test_whatever_fits_fits_again(value: Any) -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "string", "maxLength": 5}},
            "b": NUMBER,
            "c": {"type": ["boolean", "null"]},
        },
    }
    for one in (value, {"a": value}, {"b": value}, {"c": value}):
        try:
            once = fitted(one, schema)
        except Misfit:
            continue
        assert fitted(once, schema) == once


def test_a_server_gets_the_shape_without_the_limits() -> None:
    """OpenAI's strict mode refuses `maxLength`, and llama.cpp makes a grammar of it that it refuses
    itself.
    """
    word = {"type": "string", "maxLength": 4000, "enum": ["a"]}
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["maxLength"],
        "properties": {
            "maxLength": word,
            "list": {
                "type": "array",
                "maxItems": 3,
                "items": {"type": "number", "minimum": 0, "maximum": 2},
            },
        },
    }
    assert shape_of(schema) == {
        "type": "object",
        "additionalProperties": False,
        "required": ["maxLength"],
        "properties": {
            "maxLength": {"type": "string", "enum": ["a"]},
            "list": {"type": "array", "items": {"type": "number"}},
        },
    }


def test_what_has_a_default_may_be_left_out_or_null() -> None:
    schema = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"type": "string"}, "b": {"type": "number", "default": 0}},
    }
    assert fitted({"a": "x"}, schema) == fitted({"a": "x", "b": None}, schema) == {"a": "x", "b": 0}
    with pytest.raises(Misfit, match="lacks 'a'"):
        fitted({"b": 1}, schema)
    with pytest.raises(Misfit, match="b must be a number"):
        fitted({"a": "x", "b": "much"}, schema)
    assert "default" not in str(shape_of(schema))
