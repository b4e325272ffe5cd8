from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.card import LocalFile
from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.entry import Edits
from stylus_ext.core.settings import Selection
from stylus_ext.selection.compose.pick_order import PickOrder
from tests.fakes import make_entry, make_probe

HERE = (LocalFile("/a.safetensors", "a", 1, 1),)
Made = tuple[Candidate, int | None]


def made(
    number: int, sure: float, place: int | None = 0, *, coined: bool = False, **more: Any
) -> Made:
    seen = (
        Evidence(named=(f"zx{number}",), rarity=7.0, sure=sure) if coined else Evidence(sure=sure)
    )
    return Candidate(make_entry(number, f"A {number}", **more), sure, seen), place


def by(*candidates: Made, room: int = 3, family: str = "any") -> PickOrder:
    return PickOrder(
        {candidate.key: place for candidate, place in candidates},
        lambda candidate: "" if candidate.evidence.sure >= 0.5 else "unsure",
        Selection(family=family),
        room,
    )


def order(*candidates: Made, **more: Any) -> list[str]:
    return [
        candidate.entry.card.name
        for candidate in by(*candidates, **more).sorted([each for each, _ in candidates])
    ]


def test_the_surest_first_and_equals_as_they_came() -> None:
    assert order(made(1, 0.6), made(2, 0.9), made(3, 0.6)) == ["A 2", "A 1", "A 3"]


def test_always_goes_before_all() -> None:
    assert order(made(1, 0.9), made(2, 0.0, edits=Edits(state="always")))[0] == "A 2"


def test_a_coined_word_goes_before_what_is_surer_of_another_task() -> None:
    assert order(made(1, 0.8, 0), made(2, 0.6, 7, coined=True), made(3, 0.7, 7)) == [
        "A 3",
        "A 2",
        "A 1",
    ]


@pytest.mark.parametrize(
    ("rivals", "room", "family"),
    [
        ((made(1, 0.9, 0, family="sdxl"), made(2, 0.8, 0), made(3, 0.8, 5)), 3, "sd1"),
        ((made(1, 0.9, 0, family="sdxl"), made(2, 0.8, 0), made(3, 0.8, 5)), 1, "sdxl"),
        ((made(1, 0.99, 0, family="sdxl"), made(2, 0.55, 0), made(3, 0.55, 5)), 3, "sd1"),
        ((made(1, 0.99, 0, family="sdxl"), made(2, 0.55, 0), made(3, 0.55, None)), 3, "sdxl"),
        ((made(1, 0.9, 0, family="sdxl"), made(2, 0.8, 0, files=HERE)), 3, "sd1"),
        ((made(1, 0.9, 0, family="flux1"), made(2, 0.6, 0)), 3, "sd1"),
        ((made(1, 0.9, 0, family="flux1"), made(2, 0.6, 0, family="sdxl")), 3, "sdxl"),
        ((made(1, 0.9, 0, family="sd2"), made(2, 0.8, 5, family="sd2"), made(3, 0.5)), 3, "sd1"),
        ((made(1, 0.9, 0, family="sd2"), made(2, 0.4, 0)), 3, "sd2"),
        (
            (made(1, 0.8, 0, family="sdxl", coined=True), made(2, 0.9, 0), made(3, 0.9, 5)),
            3,
            "sdxl",
        ),
        ((made(1, 0.9, 0, family="sdxl"), made(2, 0.8, 0), made(3, 0.8, 0)), 3, "sdxl"),
        ((made(1, 0.9, 0, family="sdxl"), made(2, 0.4, 0), made(3, 0.4, 5)), 3, "sdxl"),
        ((made(1, 0.9, 0, family="unknown"), made(2, 0.6, 0)), 3, "sd1"),
        ((made(1, 0.4, 0),), 3, ""),
    ],
)
def test_the_family_that_serves_the_prompt_best_leads(
    rivals: tuple[Made, ...], room: int, family: str
) -> None:
    assert by(*rivals, room=room).leading_family([each for each, _ in rivals]) == family


def test_an_unknown_family_goes_with_every_other() -> None:
    assert order(made(1, 0.9, family="unknown"), made(2, 0.6), made(3, 0.7, family="sdxl")) == [
        "A 1",
        "A 3",
        "A 2",
    ]


def test_a_family_that_is_asked_for_needs_no_leader() -> None:
    rivals = (made(1, 0.6, family="sdxl"), made(2, 0.9, family="pony"))
    assert order(*rivals, family="pony") == ["A 2", "A 1"]
    assert by(*rivals, family="pony").leading_family([each for each, _ in rivals]) == ""


def test_a_probe_decides_between_near_equals_only() -> None:
    strong = make_probe(strength=0.6, consistency=0.9)
    faint, none = make_probe(strength=0.05, consistency=0.2), make_probe(trouble="no_effect")
    assert order(made(1, 0.6), made(2, 0.6, probe=strong)) == ["A 2", "A 1"]
    assert order(made(1, 0.6, probe=faint), made(2, 0.599, probe=strong)) == ["A 2", "A 1"]
    assert order(made(1, 0.6, probe=none), made(2, 0.6)) == ["A 2", "A 1"]
    assert order(made(1, 0.61), made(2, 0.6, probe=strong)) == ["A 1", "A 2"]
    assert order(made(1, 0.606, probe=none), made(2, 0.6)) == ["A 1", "A 2"]
