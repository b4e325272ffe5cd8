"""Golden plans: what a knowledgeable user would want of everyday prompts, as text.
STYLUS_REWRITE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.cases import CASES
from tests.golden.house import Case, GoldenHouse, as_text, open_house
from tests.golden.mixed_cases import MIXED_CASES

PLANS = Path(__file__).resolve().parents[1] / "data" / "golden"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoldenHouse]:
    with open_house(tmp_path_factory.mktemp("golden")) as opened:
        yield opened


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoldenHouse]:
    with open_house(tmp_path_factory.mktemp("mixed"), starter=True) as opened:
        yield opened


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_plan_is_the_golden_one(house: GoldenHouse, case: Case) -> None:
    _compare(house, case)


@pytest.mark.parametrize("case", MIXED_CASES, ids=lambda case: case.title)
def test_the_plan_over_the_starter_catalogue_is_the_golden_one(
    mixed: GoldenHouse, case: Case
) -> None:
    _compare(mixed, case)


def _compare(house: GoldenHouse, case: Case) -> None:
    said = as_text(case, house.plan(case))
    place = PLANS / f"{case.title}.txt"
    if os.environ.get("STYLUS_REWRITE_GOLDEN"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(said, "utf-8")
    assert said == place.read_text("utf-8"), (
        "If the new plan is the better one, write it with STYLUS_REWRITE_GOLDEN=1 and read it."
    )


def test_every_golden_plan_has_its_prompt() -> None:
    titles = [case.title for case in (*CASES, *MIXED_CASES)]
    assert {path.stem for path in PLANS.iterdir()} == set(titles)
    assert len(set(titles)) == len(titles)
