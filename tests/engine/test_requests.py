"""Checking requests: accepted exactly when the JSON schema allows it, with a message naming the
field otherwise.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from pydantic import Field

from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.inputs import InputPart, Longest, OperationInput, Seed, Whole
from stylus_ext.engine.operations.table import OPERATIONS
from stylus_ext.engine.requests import NoInput


class PartExample(InputPart):
    number: Whole = Field(default=0, ge=0, le=9)


class ExampleInput(OperationInput):
    name: Annotated[str, Longest(8)]
    seed: Whole = Field(default=7, ge=0, le=100)
    large: Seed = 0
    free: Whole | None = None
    weight: float | None = Field(default=None, ge=-1.0, le=1.0)
    on: bool = False
    kind: Literal["a", "b"] = "a"
    some: list[Whole] = Field(default=[], max_length=3)
    parts: list[PartExample] = Field(default=[], max_length=3)
    settings: dict[str, Any] = {}


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
    "large": st.integers(2**63 - 2, 2**63 + 1),
    "free": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    "weight": st.floats(-1.1, 1.1) | st.integers(-2, 2),
    "on": st.booleans() | st.none() | st.just(1),
    "kind": st.sampled_from(["a", "b", "c", None]),
    "some": st.lists(st.integers(-1, 10) | st.just(3.0), max_size=4),
    "parts": st.lists(
        st.fixed_dictionaries({}, optional={"number": st.integers(-1, 10) | st.none()}), max_size=4
    ),
    "settings": st.dictionaries(st.text(max_size=3), scalars, max_size=2),
}
payloads = st.fixed_dictionaries({"name": st.text(max_size=9)}, optional=near) | st.dictionaries(
    st.sampled_from([*ExampleInput.model_fields, "other"]), values, max_size=4
)


@given(payloads | values)
def test_a_payload_is_accepted_exactly_when_the_schema_allows_it(payload: Any) -> None:
    schema = ExampleInput.model_json_schema()
    valid = jsonschema.Draft202012Validator(schema).is_valid(payload)
    event(f"valid: {valid}")
    if not valid:
        with pytest.raises(InvalidInput) as caught:
            ExampleInput.model_validate(payload)
        assert 0 < len(str(caught.value)) < 500
    else:
        answer = ExampleInput.model_validate(payload)
        assert ExampleInput.model_validate(answer.model_dump()) == answer


def test_defaults_stand_for_missing_fields_and_null() -> None:
    assert ExampleInput.model_validate({"name": "x", "seed": None}) == ExampleInput(name="x")
    assert ExampleInput(name="x").seed == 7


def test_json_has_one_type_of_number() -> None:
    answer = ExampleInput.model_validate({"name": "x", "seed": 2.0, "weight": 1})
    assert (answer.seed, answer.weight) == (2, 1.0)
    assert isinstance(answer.seed, int)
    assert isinstance(answer.weight, float)


def test_a_text_may_hold_lone_surrogates() -> None:
    assert ExampleInput.model_validate({"name": "\ud800"}).name == "\ud800"


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "'name'"),
        ({"name": "x", "sed": 1}, "'sed'"),
        ({"name": 1}, "'name'"),
        ({"name": "123456789"}, "'name'"),
        ({"name": "x", "seed": True}, "'seed'"),
        ({"name": "x", "seed": 1.5}, "'seed'"),
        ({"name": "x", "seed": 101}, "'seed'"),
        ({"name": "x", "seed": 10**5000}, "'seed'"),
        ({"name": "x", "large": 2**63}, "'large'"),
        ({"name": "x", "weight": 10**400}, "'weight'"),
        ({"name": "x", "weight": float("nan")}, "'weight'"),
        ({"name": "x", "free": float("inf")}, "'free'"),
        ({"name": "x", "on": 1}, "'on'"),
        ({"name": "x", "kind": "c" * 1000}, "'kind'"),
        ({"name": "x", "some": [1, "2"]}, "'some[1]'"),
        ({"name": "x", "some": [1, 2, 3, 4]}, "'some'"),
        ({"name": "x", "parts": [{"number": 10}]}, "'parts[0].number'"),
        ({"name": "x", "parts": [{"x": 10}]}, "'parts[0].x'"),
        ({"name": "x", "settings": [1]}, "'settings'"),
    ],
)
def test_each_mistake_names_its_field(payload: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ExampleInput.model_validate(payload)
    assert field in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("payload", [[], "x", None, 3])
def test_a_request_is_an_object(payload: Any) -> None:
    with pytest.raises(InvalidInput):
        NoInput.model_validate(payload)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_schema_is_json_and_a_valid_schema(name: str) -> None:
    schema = OPERATIONS[name].input.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema
    jsonschema.Draft202012Validator.check_schema(schema)
