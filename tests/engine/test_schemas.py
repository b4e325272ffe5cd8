from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.requests import Field, Schema, checked, json_schema

SCHEMA: Schema = {
    "name": Field(str, required=True, longest=8),
    "seed": Field(int, 7, low=0, high=100),
    "free": Field(int),
    "weight": Field(float, None, low=-1.0, high=1.0),
    "on": Field(bool, False),
    "kind": Field(str, "a", choices=("a", "b")),
    "some": Field(list, (), longest=3, items=Field(int, low=0, high=9)),
    "settings": Field(dict, {}),
}

numbers = st.one_of(
    st.integers(-3, 120),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2.0, -0.0, 1e300]),
)
scalars = st.one_of(
    st.none(), st.booleans(), numbers, st.text(max_size=10), st.sampled_from(["a", "b"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
)
near = {
    "seed": st.integers(-1, 101) | st.sampled_from([2.0, 2.5, None, True]),
    "free": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "weight": st.floats(-1.1, 1.1) | st.integers(-2, 2),
    "on": st.booleans() | st.none() | st.just(1),
    "kind": st.sampled_from(["a", "b", "c", None]),
    "some": st.lists(st.integers(-1, 10) | st.just(3.0), max_size=4),
    "settings": st.dictionaries(st.text(max_size=3), scalars, max_size=2),
}
payloads = st.fixed_dictionaries({"name": st.text(max_size=9)}, optional=near) | st.dictionaries(
    st.sampled_from([*SCHEMA, "other"]), values, max_size=4
)


def fine(**payload: Any) -> dict[str, Any]:
    return checked({"name": "x", **payload}, SCHEMA)


@given(payloads | values)
def test_whatever_comes_is_read_or_refused_with_a_sentence_as_the_json_schema_says(
    payload: Any,
) -> None:
    valid = jsonschema.Draft202012Validator(json_schema(SCHEMA)).is_valid(payload)
    event(f"valid: {valid}")
    if not valid:
        with pytest.raises(InvalidInput, match=r"(?s)\.$") as caught:
            checked(payload, SCHEMA)
        assert len(str(caught.value)) < 400
    else:
        answer = checked(payload, SCHEMA)
        assert list(answer) == list(SCHEMA)
        assert (
            checked({name: value for name, value in answer.items() if value != ()}, SCHEMA)
            == answer
        )


def test_defaults_fill_what_is_left_out_and_null() -> None:
    assert fine(seed=None) == {
        "name": "x",
        "seed": 7,
        "free": None,
        "weight": None,
        "on": False,
        "kind": "a",
        "some": (),
        "settings": {},
    }


def test_whole_numbers_and_numbers_are_one_kind_in_json() -> None:
    answer = fine(seed=2.0, weight=1)
    assert answer["seed"] == 2
    assert isinstance(answer["seed"], int)
    assert isinstance(answer["weight"], float)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ([], "A request is a JSON object."),
        ({}, "The field 'name' is missing."),
        ({"name": "x", "sed": 1}, "no field 'sed'; it has name, seed"),
        ({"name": 1}, "'name' must be text."),
        ({"name": "123456789"}, "'name' is too long: 9, and at most 8 is read."),
        ({"name": "x", "seed": True}, "'seed' must be a whole number."),
        ({"name": "x", "seed": 1.5}, "'seed' must be a whole number."),
        ({"name": "x", "seed": 101}, "'seed' must lie between 0 and 100, not 101."),
        ({"name": "x", "seed": 10**5000}, "not so large a number."),
        ({"name": "x", "weight": 10**400}, "'weight' is a larger number than can be worked with."),
        ({"name": "x", "weight": float("nan")}, "'weight' must be a number, not nan."),
        ({"name": "x", "free": float("inf")}, "'free' must be a whole number, not inf."),
        ({"name": "x", "on": 1}, "'on' must be true or false."),
        ({"name": "x", "kind": "c" * 1000}, "'kind' must be one of a, b, not 'ccc"),
        ({"name": "x", "some": [1, "2"]}, "'some[1]' must be a whole number."),
        ({"name": "x", "some": [1, 2, 3, 4]}, "'some' is too long: 4, and at most 3 is read."),
        ({"name": "x", "settings": [1]}, "'settings' must be an object."),
    ],
)
def test_each_mistake_has_its_sentence(payload: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked(payload, SCHEMA)
    assert said in str(caught.value)


def test_a_request_without_fields_says_so() -> None:
    with pytest.raises(InvalidInput, match="no field 'x'; it has none"):
        checked({"x": 1}, {})


def test_the_json_schema_is_json_and_valid_as_a_schema() -> None:
    described = json_schema(SCHEMA)
    assert json.loads(json.dumps(described)) == described
    jsonschema.Draft202012Validator.check_schema(described)
    assert described["required"] == ["name"]
