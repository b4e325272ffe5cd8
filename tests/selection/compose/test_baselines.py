"""The baselines of the paper: the first three candidates of one family, and no rule."""

from __future__ import annotations

import pytest

from stylus_ext.core.composition import Candidates
from stylus_ext.core.entry import Edits
from stylus_ext.core.prompt.phrases import spans
from stylus_ext.selection.compose.baselines import BASELINES, PolicyComposer
from stylus_ext.selection.compose.rules import RuleComposer
from tests.selection.compose.test_rules import SCENE, found, query
from tests.selection.retrieve.house import House, catalogue, filling, open_house

FIVE = tuple(found(SCENE, number, f"Unnamed {number}", sure=0.01) for number in range(1, 6))


def picked(policy: str, found: Candidates, prompt: str = SCENE, **limits: object) -> list[str]:
    asked = query(prompt, policy=policy, **limits)
    return [pick.name for pick in PolicyComposer().compose(asked, found).picks]


def candidates(*found_here: object) -> Candidates:
    return Candidates(tuple(found_here), spans(query(SCENE).prompt))  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", sorted(BASELINES))
def test_the_first_three_however_unsure(policy: str) -> None:
    assert picked(policy, candidates(*FIVE)) == ["Unnamed 1", "Unnamed 2", "Unnamed 3"]
    assert picked(policy, candidates(*FIVE), max_adapters=2) == ["Unnamed 1", "Unnamed 2"]
    assert len(picked(policy, candidates(*FIVE), max_adapters=10)) == 3


def test_a_character_that_nothing_names_is_no_exception() -> None:
    person = found(SCENE, 1, "Mira Vanthal", kind="character", sure=0.01)
    assert picked("cosine", candidates(person)) == ["Mira Vanthal"]
    assert picked("hybrid", candidates(person)) == []


def test_the_first_decides_the_family() -> None:
    first = found(SCENE, 1, "First", family="sdxl")
    other = found(SCENE, 2, "Other", family="sd1")
    third = found(SCENE, 3, "Third", family="sdxl")
    assert picked("lexical", candidates(first, other, third)) == ["First", "Third"]


def test_what_the_user_always_wants_comes_first() -> None:
    always = found(SCENE, 9, "Always", edits=Edits(state="always"))
    assert picked("cosine", candidates(*FIVE, always))[0] == "Always"


def test_other_policies_keep_the_rules() -> None:
    asked = query(SCENE, policy="hybrid")
    sure = candidates(found(SCENE, 1, "Copper Train", "copper train", named=("copper", "train")))
    composition = PolicyComposer().compose(asked, sure)
    assert composition.picks
    assert composition == RuleComposer().compose(asked, sure)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return open_house(tmp_path_factory.mktemp("house"), [*catalogue(), *filling(60)])


@pytest.mark.parametrize("policy", sorted(BASELINES))
def test_certainty_follows_the_policys_own_score(house: House, policy: str) -> None:
    found_here = house.find("mira vanthal, a teapot in a night market", policy=policy)
    sure = [candidate.evidence.sure for candidate in found_here.found]
    assert sure == sorted(sure, reverse=True)
    assert 0 <= sure[-1] < sure[0] < 1
    assert found_here.confidence == sure[0]
