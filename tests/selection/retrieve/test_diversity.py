from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.composition import Candidate
from stylus_ext.core.entry import Edits
from stylus_ext.selection.retrieve.filters import diverse, version_and_epoch
from tests.fakes import make_card, make_entry
from tests.selection.retrieve.house import House


def files(*scored: tuple[str, float], **more: Any) -> list[Candidate]:
    made = [
        Candidate(make_entry(number, name, source="local", **more), score)
        for number, (name, score) in enumerate(scored, 1)
    ]
    return sorted(made, key=lambda candidate: -candidate.score)


def names(candidates: list[Candidate]) -> list[str]:
    return [candidate.entry.card.name for candidate in candidates]


@pytest.mark.parametrize(
    ("scored", "kept"),
    [
        ((("qexo", 9.0), ("qexo-000004", 9.2), ("qexo-000008", 9.1)), "qexo"),
        ((("qexo-000004", 9.2), ("qexo-000008", 9.1)), "qexo-000008"),
        ((("qexo-000010", 9.0), ("qexo-000008", 9.1)), "qexo-000010"),
        ((("qexo_v2", 9.0), ("qexo", 9.1), ("qexo_v1", 9.2)), "qexo_v2"),
        ((("qexo_v2", 9.0), ("qexo_v10", 9.0)), "qexo_v10"),
        ((("qexo_v1.5", 9.0), ("qexo_v1.10", 9.0)), "qexo_v1.10"),
        ((("qexo-e4", 9.0), ("qexo-e12", 8.9)), "qexo-e12"),
        ((("qexo", 5.0), ("qexo_v1", 9.0)), "qexo_v1"),
    ],
)
def test_of_equals_the_later_or_finished_one(
    scored: tuple[tuple[str, float], ...], kept: str
) -> None:
    best, aside = diverse(files(*scored))
    assert names(best) == [kept]
    assert len(aside) == len(scored) - 1
    assert all(kept in miss.reason for miss in aside)


def test_the_reason_says_whether_it_is_better_or_later() -> None:
    _, aside = diverse(files(("qexo", 9.0), ("qexo-000004", 9.2), ("qexo-000008", 2.0)))
    reasons = {miss.name: miss.reason for miss in aside}
    assert reasons.keys() == {"qexo-000004", "qexo-000008"}
    assert all("'qexo'" in reason for reason in reasons.values())
    assert reasons["qexo-000004"] != reasons["qexo-000008"]


def test_versions_on_civitai() -> None:
    versions = [
        Candidate(make_entry(n, "Paper Crane", model_id=9, version=version), 9.0)
        for n, version in enumerate(("v1.0", "v3", "v2"), 1)
    ]
    assert [candidate.entry.card.version for candidate in diverse(versions)[0]] == ["v3"]


def test_a_later_version_for_another_model_takes_no_place() -> None:
    older = Candidate(make_entry(1, "Paper Crane", model_id=9, version="v1"), 9.0)
    newer = Candidate(make_entry(2, "Paper Crane", model_id=9, version="v2", family="sdxl"), 8.9)
    assert diverse([older, newer])[0] == [older]


def test_always_wins_among_equals_and_stays_beside_a_better_one() -> None:
    equal = [
        Candidate(make_entry(1, "qexo", source="local"), 9.0),
        Candidate(make_entry(2, "qexo-000004", source="local", edits=Edits(state="always")), 8.9),
    ]
    assert names(diverse(equal)[0]) == ["qexo-000004"]
    far = [equal[0], Candidate(equal[1].entry, 1.0)]
    assert names(diverse(far)[0]) == ["qexo", "qexo-000004"]


@pytest.mark.parametrize(
    ("name", "version", "wanted"),
    [
        ("qexo", "", ((1,), float("inf"))),
        ("qexo_v2-000006", "", ((2,), 6.0)),
        ("Qexo", "v3.1", ((3, 1), float("inf"))),
        ("Qexo", "2.0", ((2, 0), float("inf"))),
        ("QexoV4", "", ((4,), float("inf"))),
        ("qexo_epoch12", "", ((1,), 12.0)),
        ("", "", ((1,), float("inf"))),
    ],
)
def test_what_a_name_says_of_its_issue(
    name: str, version: str, wanted: tuple[tuple[int, ...], float]
) -> None:
    assert version_and_epoch(make_card(1, name, version=version)) == wanted


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["qexo", "qexo_v2", "qexo-000004", "owl", "owl_v3"]),
            st.sampled_from([8.8, 9.0, 2.0]),
        ),
        max_size=6,
    ),
    st.integers(),
)
def test_the_order_in_which_equals_come_changes_nothing(
    scored: list[tuple[str, float]], seed: int
) -> None:
    made = files(*scored)
    mixed = made[:]
    random.Random(seed).shuffle(mixed)
    kept = {candidate.key for candidate in diverse(made)[0]}
    assert {candidate.key for candidate in diverse(mixed)[0]} == kept
    assert len({name.split("_")[0].split("-")[0] for name in names(diverse(made)[0])}) == len(kept)


def test_several_epochs_in_a_folder(house: House) -> None:
    house.add(
        [
            make_entry(70 + n, name, "", source="local", triggers=("zorbstyle",), kind="style")
            for n, name in enumerate(("zorb-000002", "zorb-000004", "zorb", "zorb-000006"))
        ]
    )
    for prompt in ("zorbstyle, a hill, a tree, fog", "a hill in zorbstyle", "zorb"):
        assert [name for name in house.names(prompt) if name.startswith("zorb")] == ["zorb"]
