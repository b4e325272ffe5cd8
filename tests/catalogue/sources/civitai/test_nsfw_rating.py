from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.civitai.ratings import is_nsfw, is_nsfw_model, is_nsfw_picture


@pytest.mark.parametrize(
    "value", [False, None, 0, 1, 2, 3, "None", "Soft", "none", "false", "", "1", 3.0, [], {}]
)
def test_safe_and_missing_ratings(value: Any) -> None:
    assert not is_nsfw(value)


@pytest.mark.parametrize(
    "value",
    [True, 4, 8, 16, 32, 5, 31, 28, 64, "Mature", "X", "XXX", "true", "4", "Blocked", "R", 1024],
)
def test_nsfw_ratings(value: Any) -> None:
    assert is_nsfw(value)


@pytest.mark.parametrize(
    ("value", "unsafe"),
    [
        (31, False),
        (3, False),
        (1, False),
        (28, True),
        (4, True),
        (60, True),
        (True, True),
        ("X", True),
    ],
)
def test_a_models_rating_mask_is_of_all_its_pictures(value: Any, unsafe: bool) -> None:
    """Whoever asks Civitai for safe models gets those that have any safe picture."""
    assert is_nsfw(value, of_many=True) is unsafe


@pytest.mark.parametrize(
    ("model", "version", "unsafe"),
    [
        ({}, {}, False),
        ({"nsfw": False, "nsfwLevel": 31}, {"nsfwLevel": 1}, False),
        ({"nsfw": True, "nsfwLevel": 1}, {}, True),
        ({"nsfw": False, "nsfwLevel": 1}, {"nsfwLevel": 28}, True),
        ({"nsfw": 16}, {}, True),
        ({"nsfw": "X"}, {}, True),
        ({"nsfw": "Soft"}, {}, False),
        ({"nsfwLevel": 24}, {}, True),
        ({}, {"nsfw": True}, True),
    ],
)
def test_any_word_of_a_model_or_version_counts(model: Any, version: Any, unsafe: bool) -> None:
    assert is_nsfw_model(model, version) is unsafe


@pytest.mark.parametrize(
    ("picture", "unsafe"),
    [
        ({"nsfw": False, "nsfwLevel": "None", "browsingLevel": 1}, False),
        ({"nsfw": False, "nsfwLevel": "None", "browsingLevel": 8}, True),
        ({"nsfwLevel": 2}, False),
        ({"nsfwLevel": 4}, True),
        ({"nsfwLevel": "Mature"}, True),
        ({"nsfw": "X"}, True),
        ({}, False),
    ],
)
def test_any_word_of_a_picture_counts(picture: Any, unsafe: bool) -> None:
    assert is_nsfw_picture(picture) is unsafe


@given(
    st.one_of(
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.booleans(),
        st.none(),
        st.lists(st.integers(), max_size=2),
    ),
    st.booleans(),
)
def test_any_value_is_safe_or_nsfw(value: Any, mixed: bool) -> None:
    assert is_nsfw(value, of_many=mixed) in (True, False)
