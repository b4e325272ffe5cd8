from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterCard, AdapterKey, series
from tests.fakes import make_card


@pytest.mark.parametrize(
    "stem",
    [
        "ghibli", "Ghibli", "ghibli-000004", "ghibli_v2", "ghibli-v1.1", "ghibli V2", "ghibliV2", "ghibli (1)", "ghibli(2)",
        "ghibli_v2-000010", "ghibli-step00001200", "ghibli_e10", "ghibli_epoch_7", "ghibli_v1_final", "ghibli-v3b",
    ],
)
def test_versions_and_epochs_of_one_model_are_one_series(stem: str) -> None:
    assert series(stem) == "ghibli"


@pytest.mark.parametrize("stem", ["style_2", "mv3", "sevens", "blade_s1", "2B", "route 66", "final", "v2", "-000004"])
def test_a_name_that_only_looks_like_a_version_stays_whole(stem: str) -> None:
    assert series(stem) == stem.casefold()


def test_the_id_of_the_model_counts_more_than_the_name() -> None:
    one, two = make_card(1, "Rain", model_id=7), make_card(2, "Snow v2", model_id=7)
    assert series(one) == series(two) == "civitai:7"
    assert series(make_card(3, "Rain")) == "rain"


def test_cards_without_a_name_are_not_one_series() -> None:
    cards = [AdapterCard(key=AdapterKey.civitai(number), name="", source="local") for number in (1, 2)]
    assert series(cards[0]) != series(cards[1])


@given(st.text(max_size=300), st.sampled_from(["", "-000123", "_v2", " (3)", "-v1.0-000007"]))
def test_a_series_is_its_own_series_and_never_empty_for_a_name(name: str, issue: str) -> None:
    found = series(name[:200] + issue)
    assert series(found) == found
    assert bool(found) == bool((name[:200] + issue).strip())
