from __future__ import annotations

import pytest

from stylus_ext.selection.retrieve import retrievers as module
from tests.selection.retrieve.house import House, filling

PROMPTS = [
    "a copper train beside a teapot",
    "mira vanthal, red scarf, goggles, sky",
    "inkwellstyle, castle, rain, fog",
    "lonely pier, dawn, grainyfilm, fog",
    "a velvet gown in a night market",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_pool_finds_the_best_of_all_and_is_as_sure_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch, prompt: str
) -> None:
    house.add(filling(600, start=9000))
    whole = house.find(prompt, candidates=10)
    monkeypatch.setattr(module, "POOL_ALL", 0)
    pooled = house.find(prompt, candidates=10)
    assert pooled.found[0].key == whole.found[0].key
    assert pooled.confidence == pytest.approx(whole.confidence, abs=0.02)


def test_what_is_named_is_in_the_pool_however_crowded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POOL_ALL", 0)
    house.add(filling(600, start=9000))
    assert "Knitted Everything" in house.names(
        "quarry, walnut, ledger, anvil, turbine, knittedthing", candidates=150
    )


def test_the_gate_holds_for_the_pool(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POOL_ALL", 0)
    assert house.names("a copper train", family="flux1") == []
    only = frozenset(candidate.key for candidate in house.find("a teapot").found[:2])
    assert set(house.names("a copper train", only=only)) <= {
        candidate.entry.card.name for candidate in house.find("a teapot").found[:2]
    }


def test_vectors_without_entries_are_passed_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POOL_ALL", 0)
    house.store.remove([house.find("a teapot").found[0].key])
    assert "Teapot World" not in house.names("a teapot")
