from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.settings import Option, Selection, Settings, as_values, options, with_values


def test_every_option_has_a_help_text_and_a_default_of_its_own_kind() -> None:
    found = list(options())
    assert len({option.name for option in found}) == len(found), (
        "flags are named after the leaf alone"
    )
    assert all(option.help for option in found)
    assert (
        with_values(Settings(), {option.section: {option.name: option.default} for option in found})
        == Settings()
    )


def test_the_tree_survives_being_plain_data() -> None:
    changed = with_values(
        Settings(), {"weights": {"strength": 0.5}, "text": {"debias": "realistic"}}
    )
    assert with_values(Settings(), as_values(changed)) == changed
    assert changed.weights.strength == 0.5
    assert changed.selection == Settings().selection


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"colour": {}}, "no group of settings called 'colour'"),
        ({"weights": {"heaviness": 1}}, "no setting weights.heaviness"),
        ({"weights": 3}, "must be an object"),
        ({"selection": {"max_adapters": 11}}, "between 0 and 10"),
        ({"selection": {"max_adapters": True}}, "a whole number"),
        ({"selection": {"max_adapters": 2.5}}, "a whole number"),
        ({"selection": {"policy": "guess"}}, "one of hybrid"),
        ({"selection": {"nsfw": 1}}, "true or false"),
        ({"weights": {"strength": math.nan}}, "a number"),
        ({"weights": {"strength": "1"}}, "a number"),
        ({"text": {"debias": 5}}, "text"),
        ({"selection": {"deny_tags": 5}}, "a list of texts"),
        ({"selection": {"deny_tags": ["a", 5]}}, "a list of texts"),
        ({"selection": {"deny_tags": [["a"]]}}, "a list of texts"),
        ({"selection": {"deny_tags": {"a": 1}}}, "a list of texts"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(values: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        with_values(Settings(), values)


def _inside(option: Option) -> st.SearchStrategy[Any]:
    if option.choices:
        return st.sampled_from(option.choices)
    if isinstance(option.default, bool):
        return st.booleans()
    if isinstance(option.default, tuple):
        return st.lists(
            st.text("ab/* ", min_size=1, max_size=5).map(str.strip).filter(bool),
            max_size=3,
            unique=True,
        ).map(tuple)
    if isinstance(option.default, str):
        return st.text(max_size=10)
    if isinstance(option.default, int):
        return st.integers(int(option.low or 0), int(option.high or 0))
    return st.floats(option.low, option.high)


@given(st.data())
def test_every_value_inside_its_limits_is_taken(data: st.DataObject) -> None:
    option = data.draw(st.sampled_from(list(options())))
    value = data.draw(_inside(option))
    settings = with_values(Settings(), {option.section: {option.name: value}})
    assert as_values(settings)[option.section][option.name] == value


@pytest.mark.parametrize(
    "written",
    [
        "style, characters/*",
        "style\ncharacters/*",
        ["style", "characters/*"],
        ("style", " characters/* "),
        " style ,, characters/*,style",
    ],
)
def test_a_list_is_taken_as_one_text_too(written: Any) -> None:
    assert with_values(
        Settings(), {"selection": {"allow_folders": written}}
    ).selection.allow_folders == ("style", "characters/*")


def test_an_empty_list_is_none_at_all() -> None:
    assert (
        with_values(Settings(), {"selection": {"allow_folders": ""}})
        == with_values(Settings(), {"selection": {"allow_folders": []}})
        == Settings()
    )


def test_a_frozen_leaf_wants_the_right_type_too() -> None:
    with pytest.raises(InvalidInput):
        Selection(deny_tags="nude")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [10**400, -(10**400), math.inf, -math.inf])
def test_a_number_beyond_all_numbers_is_refused_like_any_other(value: Any) -> None:
    with pytest.raises(InvalidInput, match="strength"):
        with_values(Settings(), {"weights": {"strength": value}})
