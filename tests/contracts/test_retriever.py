"""What every `Retriever` keeps to. A new policy is added to `POLICIES`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Edits
from stylus_ext.core.settings import POLICIES
from tests.selection.retrieve.house import House, catalogue, filling, open_house

PROMPTS = (
    "a copper train at a night market",
    "mira vanthal, goggles, sky, fog",
    "",
    "\x00((",
    "夜の市場",
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(tmp_path / "house", [*catalogue(), *filling(30)])
    yield opened
    opened.store.close()


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_best_first_each_once_and_sure_within_bounds(
    house: House, policy: str, prompt: str
) -> None:
    found = house.find(prompt, policy=policy)
    scores = [candidate.score for candidate in found.found]
    assert scores == sorted(scores, reverse=True)
    assert len({candidate.key for candidate in found.found}) == len(found.found)
    assert 0.0 <= found.confidence <= 1.0
    assert all(0.0 <= candidate.evidence.sure <= 1.0 for candidate in found.found)


def test_the_same_twice(house: House, policy: str) -> None:
    assert house.find(PROMPTS[0], policy=policy) == house.find(PROMPTS[0], policy=policy)


def test_no_more_than_asked_for(house: House, policy: str) -> None:
    assert len(house.find(PROMPTS[0], policy=policy, candidates=10).found) == 10


def test_never_is_never_found(house: House, policy: str) -> None:
    house.store.edit(AdapterKey.civitai(3), Edits(state="never"))
    assert AdapterKey.civitai(3) not in {
        candidate.key for candidate in house.find(PROMPTS[0], policy=policy).found
    }


def test_the_family_is_kept(house: House, policy: str) -> None:
    assert house.find(PROMPTS[0], policy=policy, family="flux1").found == ()


def test_only_is_kept(house: House, policy: str) -> None:
    only = frozenset((AdapterKey.civitai(3), AdapterKey.civitai(999_999)))
    assert [
        candidate.key for candidate in house.find(PROMPTS[0], policy=policy, only=only).found
    ] == [AdapterKey.civitai(3)]
