from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import LocalFile
from stylus_ext.core.entry import KINDS, STATES, Description, Edits
from stylus_ext.core.errors import InvalidInput
from tests.fakes import make_entry

WEIGHTS = st.none() | st.floats(0, 2)


@given(WEIGHTS, WEIGHTS, WEIGHTS)
def test_the_users_weight_counts_before_the_sidecars_and_that_before_the_refiners(
    mine: float | None, sidecar: float | None, refined: float | None
) -> None:
    entry = make_entry(1, weight=sidecar, recommended=refined, edits=Edits(weight=mine))
    stated = [weight for weight in (mine, sidecar, refined) if weight is not None]
    assert entry.weight == (stated[0] if stated else None)


def test_a_weight_of_zero_is_a_decision() -> None:
    assert make_entry(1, weight=0.8, edits=Edits(weight=0.0)).weight == 0.0


def test_an_emptied_text_or_trigger_list_stays_empty() -> None:
    entry = make_entry(1, text="Draws foxes.", triggers=("foxstyle",))
    assert (entry.text, entry.triggers) == ("Draws foxes.", ("foxstyle",))
    emptied = entry.edited(Edits(text="", triggers=()))
    assert (emptied.text, emptied.triggers) == ("", ())
    assert emptied.edited(Edits()) == entry


def test_the_kind_is_the_users_else_the_descriptions() -> None:
    assert make_entry(1, kind="clothing").kind == "clothing"
    assert make_entry(1, kind="clothing", edits=Edits(kind="style")).kind == "style"


def test_of_several_files_the_same_one_gives_the_stem_whatever_their_order() -> None:
    files = tuple(
        LocalFile(f"/l/{stem}.safetensors", stem, 1, 1) for stem in ("zebra", "ant", "fox")
    )
    assert {make_entry(1, files=order).stem for order in permutations(files)} == {"ant"}
    assert make_entry(1).stem is None


@pytest.mark.parametrize("state", STATES)
def test_every_state_and_kind_is_taken(state: str) -> None:
    for kind in KINDS:
        assert Edits(state=state, kind=kind).kind == kind  # type: ignore[arg-type]
        assert Description("", kind, "card", "f").kind == kind


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"state": "sometimes"}, "'sometimes' is not a state"),
        ({"kind": "weather"}, "'weather' is not a kind"),
        ({"kind": ""}, "'' is not a kind"),
    ],
)
def test_what_is_no_state_or_kind_is_refused(broken: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Edits(**broken)  # type: ignore[arg-type]


def test_a_description_of_no_kind_is_refused_also_when_it_is_changed() -> None:
    with pytest.raises(InvalidInput, match="style, character"):
        replace(Description("", "style", "card", "f"), kind="Style")
