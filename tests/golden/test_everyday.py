"""Everyday prompts over the starter catalogue and a library of invented cards, read by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.golden.everyday import (
    LIBRARY,
    EverydayCase,
    is_called,
    read_cases,
    read_to_be_fixed,
)
from tests.golden.house import Case, GoldenHouse, open_house

CASES = read_cases()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoldenHouse]:
    folder = tmp_path_factory.mktemp("everyday")
    with open_house(folder, starter=True, catalogue=LIBRARY) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.prompt)
def test_the_picks_are_those_of_a_reader(
    house: GoldenHouse, case: EverydayCase, request: pytest.FixtureRequest
) -> None:
    if case.prompt in read_to_be_fixed():
        request.applymarker(pytest.mark.xfail(reason="to be fixed", strict=False))
    plan = house.plan(Case(case.prompt, case.prompt))
    assert case.faults(pick.name for pick in plan.composition.picks) == []


@pytest.mark.long
def test_every_fragment_is_the_name_of_an_adapter(house: GoldenHouse) -> None:
    names = [entry.card.name for entry in house.entries()]
    fragments = {fragment for case in CASES for fragment in case.fragments()}
    unknown = {
        fragment for fragment in fragments if not any(is_called(name, [fragment]) for name in names)
    }
    assert unknown == set()


def test_every_prompt_is_there_once() -> None:
    prompts = [case.prompt for case in CASES]
    assert len(prompts) == len(set(prompts)) >= 150
    assert read_to_be_fixed() <= set(prompts)


def test_what_a_reader_says() -> None:
    case = EverydayCase("x", (("Corgi",), ("Mural", "graffiti")), ("Cat",), ("Cartoon Cat",))
    assert case.faults(["MG_CORGI (animal)", "Wall Murals", "Persian Cats"]) == []
    assert case.faults(["Corgi Buddies"]) == ["missing: Mural or graffiti"]
    faults = case.faults(["Corgi", "graffiti", "Cartoon Cat Mischief", "Gothic Cathedral"])
    assert faults == ["wrong: Cartoon Cat Mischief", "not judged yet: Gothic Cathedral"]
