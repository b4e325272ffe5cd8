from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.local.facts import StatedFacts, merge_facts
from stylus_ext.core.card import Example


def test_the_first_that_says_anything_wins_field_by_field() -> None:
    facts = merge_facts(
        [
            StatedFacts(text="mine", weight=0.7),
            StatedFacts(name="Rain", text="theirs", weight=1.0, nsfw=True, model_id=3),
            StatedFacts(name="rain.safetensors", creator="somebody", model_id=4, rating=0.5),
        ]
    )
    assert facts == StatedFacts(
        name="Rain", text="mine", weight=0.7, nsfw=True, model_id=3, creator="somebody", rating=0.5
    )


def test_nothing_joined_is_nothing() -> None:
    assert merge_facts([]) == merge_facts([StatedFacts(), StatedFacts()]) == StatedFacts()


@pytest.mark.parametrize(
    ("stated", "chosen"),
    [
        (["SD 1.5", "SDXL 1.0"], "SD 1.5"),
        (["SDXL", "Pony"], "Pony"),
        (["SDXL", "SD 1.5", "Illustrious"], "Illustrious"),
        (["Pony", "SDXL 1.0"], "Pony"),
        (["Pony", "Illustrious"], "Pony"),
        (["Unknown", "Other", "sdxl"], "sdxl"),
        (["", "Other"], "Other"),
        (["Flux", "Flux.1 Krea"], "Flux.1 Krea"),
        (["AuraFlow", "Pony"], "AuraFlow"),
        (["Nebula 9", "sd1"], "Nebula 9"),
        ([], ""),
    ],
)
def test_the_base_model_is_the_first_known_or_a_more_exact_one_of_its_ecosystem(
    stated: list[str], chosen: str
) -> None:
    assert merge_facts([StatedFacts(base_model=one) for one in stated]).base_model == chosen


@pytest.mark.parametrize(
    ("stated", "chosen"),
    [
        ([("nami, robin",), ("nami", "Robin")], ("nami", "Robin")),
        ([("nami",), ("nami", "robin")], ("nami",)),
        ([("nami", "robin"), ("nami, robin",)], ("nami", "robin")),
        ([(), ("robin",)], ("robin",)),
    ],
)
def test_one_line_of_triggers_is_taken_apart_as_another_source_groups_it(
    stated: list[tuple[str, ...]], chosen: tuple[str, ...]
) -> None:
    assert merge_facts([StatedFacts(triggers=one) for one in stated]).triggers == chosen


def test_examples_come_from_all_and_are_not_endless() -> None:
    many = [
        StatedFacts(examples=tuple(Example(f"{place} {number}") for number in range(15)))
        for place in ("a", "b", "a")
    ]
    examples = merge_facts(many).examples
    assert len(examples) == len(set(examples)) == 20
    assert examples[0] == Example("a 0")
    assert examples[-1] == Example("b 4")


FACTS = st.builds(
    StatedFacts,
    name=st.sampled_from(["", "a", "b"]),
    base_model=st.sampled_from(["", "SDXL", "Pony", "SD 1.5"]),
    triggers=st.sampled_from([(), ("a, b",), ("a", "b")]),
    weight=st.sampled_from([None, 0.5, 1.0]),
)


@given(st.lists(FACTS, max_size=4))
def test_joining_again_changes_nothing(statements: list[StatedFacts]) -> None:
    once = merge_facts(statements)
    assert merge_facts([once]) == once
    assert merge_facts([once, *statements]) == once
