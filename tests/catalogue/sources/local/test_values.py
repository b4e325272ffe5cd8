from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.net import values

ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
)


def test_text_has_no_control_characters() -> None:
    assert values.text(" a\0b\ud800c\r\nd\te ") == "a bc\nd\te"
    assert values.text("x" * 30_000) == "x" * values.LONGEST_TEXT
    assert values.text(3) == values.text(None) == values.text(["a"]) == ""
    assert values.name(" a \n b\t") == "a b"


@pytest.mark.parametrize(
    ("value", "number", "weight", "identity"),
    [
        (0.8, 0.8, 0.8, None),
        ("0.8", 0.8, 0.8, None),
        (0, 0.0, None, None),
        (-1, -1.0, None, None),
        (7, 7.0, None, 7),
        ("7", 7.0, None, 7),
        (1.0, 1.0, 1.0, 1),
        (True, None, None, None),
        ("nan", None, None, None),
        (float("inf"), None, None, None),
        ("many", None, None, None),
        (None, None, None, None),
        (10**300, 1e300, None, None),
        ("1" * 10_000, 1.1111111111111112e39, None, None),
    ],
)
def test_numbers(
    value: object, number: float | None, weight: float | None, identity: int | None
) -> None:
    assert values.number(value) == number
    assert values.weight(value) == weight
    assert values.identity(value) == identity


def test_a_whole_number_too_large_for_a_float_is_none() -> None:
    assert values.number(10**400) is None


def test_digests() -> None:
    assert values.digest("AB" * 32) == "ab" * 32
    assert values.digest("AB" * 31) == values.digest("zz" * 32) == values.digest(None) == ""


def test_the_beginning_of_a_hash_of_tensors() -> None:
    assert values.auto_v3("AB" * 32) == values.auto_v3(" ABABABABABAB ") == "ab" * 6
    assert (
        values.auto_v3("AB" * 5)
        == values.auto_v3("zz" * 6)
        == values.auto_v3("ab" * 33)
        == values.auto_v3(12)
        == ""
    )


@pytest.mark.parametrize(
    "kept", ["my lora", "my  lora", "\u96e8 \u591c\u00e9", "x" * values.LONGEST_NAME]
)
def test_a_name_of_a_file_is_kept_letter_by_letter(kept: str) -> None:
    assert values.verbatim(kept) == kept


@pytest.mark.parametrize(
    "unclean",
    [
        "",
        " a",
        "a\n",
        "a\nb",
        "a\tb",
        "a\0b",
        "a\ud800",
        "x" * (values.LONGEST_NAME + 1),
        None,
        7,
        ["a"],
    ],
)
def test_a_name_that_needs_cleaning_is_none(unclean: object) -> None:
    assert values.verbatim(unclean) == ""


@pytest.mark.parametrize(
    ("entries", "groups"),
    [
        (["nami, orange hair", "", "NAMI, orange hair", "robin"], ("nami, orange hair", "robin")),
        (["<lora:x:0.8> trigger", "<lora:x:1>"], ("trigger",)),
        (["a, <lora:x:1>, b", "c,"], ("a, b", "c")),
        ([None, 3, {"a": 1}, "ok"], ("ok",)),
        (["two\nlines"], ("two lines",)),
        (["a <3 b"], ("a <3 b",)),
        (['"id": "700101', "ok", '{"a": 1}'], ("ok",)),
    ],
)
def test_trigger_groups(entries: list[object], groups: tuple[str, ...]) -> None:
    assert values.groups(entries) == groups


def test_tags_may_be_objects() -> None:
    assert values.tags(["style", {"name": "anime"}, {"id": 1}, 7]) == ("style", "anime")
    assert values.listed("a, b") == ["a", " b"]
    assert values.listed(["a"]) == ["a"]
    assert values.listed(None) == []


@pytest.mark.parametrize(
    "text", ["<" * 20_000, "<a" * 10_000, ", " * 10_000, " " * 20_000 + ",", "<lora" + ":" * 19_000]
)
def test_hostile_texts_are_read(text: str) -> None:
    assert len(values.without_tags(text)) <= len(text)


@given(ANYTHING)
def test_anything_gives_clean_values(value: object) -> None:
    assert "\0" not in values.text(value)
    values.text(value).encode()
    values.name(value).encode()
    weight = values.weight(value)
    assert weight is None or 0 < weight <= 5
    assert all(values.groups([value]))
    assert isinstance(values.table(value), dict)
    assert isinstance(values.rows(value), list)
    values.identity(value)
    values.digest(value)
    values.auto_v3(value)
    assert values.verbatim(value) in ("", value)
    values.tags(values.listed(value))
