from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.net.values import NotJson, parsed

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_read_as_it_was_written(value: object) -> None:
    assert parsed(json.dumps(value)) == value
    assert parsed(json.dumps(value).encode()) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_editors_write(encoding: str) -> None:
    assert parsed('{"größe": "ü"}'.encode(encoding)) == {"größe": "ü"}


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"{",
        b"\xff",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" + b"0," * 1_000_001 + b"0]",
        b"1" * 5000,
    ],
)
def test_hostile_bytes_are_refused(hostile: bytes) -> None:
    with pytest.raises(NotJson):
        parsed(hostile)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_value_or_the_typed_problem(data: bytes) -> None:
    try:
        parsed(data)
    except NotJson as problem:
        assert str(problem)  # noqa: PT017
