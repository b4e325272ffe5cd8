from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import (
    AdapterCard,
    AdapterKey,
    LocalFile,
    group_cards,
    keys_of,
    local_card,
    matches_path,
    path_key,
    present_cards,
    with_key,
)
from tests.fakes import make_card

SHA = AdapterKey.sha256("ab" * 32)


def at(path: str, *others: AdapterKey) -> AdapterCard:
    return make_card(key=AdapterKey.path(path), source="local", equivalents=others)


def file(path: str) -> LocalFile:
    return LocalFile(path, "x", 1, 1)


@pytest.mark.parametrize(
    ("name", "path", "told"),
    [
        ("fox.safetensors", "/loras/fox.safetensors", True),
        ("a/fox.safetensors", "/loras/a/fox.safetensors", True),
        ("a/fox.safetensors", "/loras/b/fox.safetensors", False),
        ("fox.safetensors", "/loras/redfox.safetensors", False),
        ("fox.safetensors", "fox.safetensors", True),
    ],
)
def test_a_path_key_tells_of_the_file_at_the_end_of_a_path(
    name: str, path: str, told: bool
) -> None:
    assert matches_path(AdapterKey.path(name), path) == told
    assert not matches_path(None, path)


def test_a_local_card_is_found_by_the_longest_name_of_its_file() -> None:
    short, long, listed = at("fox", SHA), at("a/fox"), make_card(1)
    assert local_card([short, long, listed], "/loras/a/fox") == long
    assert local_card([short, long, listed], "/loras/fox") == short
    assert local_card([short, listed], "/loras/owl") is None
    nameless = make_card(1, source="local")
    assert local_card([nameless, short], "/loras/owl") == nameless
    assert path_key(nameless) is path_key(listed) is None
    assert path_key(
        make_card(1, source="local", equivalents=(SHA, AdapterKey.path("fox")))
    ) == AdapterKey.path("fox")


def test_who_has_no_file_is_silent_unless_alone() -> None:
    here, away, listed = at("fox"), at("owl"), make_card(1)
    assert present_cards([here, away, listed], [file("/loras/fox")]) == [here, listed]
    assert present_cards([away, listed], []) == [listed]
    assert present_cards([away], []) == [away]


def test_the_key_that_a_card_came_with_stays_one_of_its_names() -> None:
    card = at("fox", SHA)
    assert with_key(card.key, card) is card
    moved = with_key(AdapterKey.civitai(1), card)
    assert moved.key == AdapterKey.civitai(1)
    assert set(keys_of(moved)) == {AdapterKey.civitai(1), SHA, card.key}


@given(
    spread=st.lists(st.sets(st.integers(1, 9), min_size=1, max_size=3), max_size=9),
    seed=st.integers(0, 99),
)
def test_groups_are_what_names_tie_together_in_any_order(spread: list[set[int]], seed: int) -> None:
    cards = [
        make_card(key=keys[0], name=f"{number}", equivalents=tuple(keys[1:]))
        for number, values in enumerate(spread)
        if (keys := [AdapterKey.civitai(value) for value in sorted(values)])
    ]
    found = group_cards(cards)
    assert sorted(card.name for group in found for card in group) == sorted(
        card.name for card in cards
    )
    for one in found:
        mine = {name for card in one for name in keys_of(card)}
        assert not any(
            mine & set(keys_of(card)) for other in found if other is not one for card in other
        )
        tied = set(keys_of(one[0]))
        for _ in one:
            tied |= {name for card in one if tied & set(keys_of(card)) for name in keys_of(card)}
        assert tied == mine, "nothing ties these together"
    mixed = random.Random(seed).sample(cards, len(cards))
    assert {frozenset(card.name for card in group) for group in group_cards(mixed)} == {
        frozenset(card.name for card in group) for group in found
    }
