from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey, LocalFile
from stylus_ext.core.composition import Candidate, Candidates, Composition, Evidence, NearMiss
from stylus_ext.core.entry import Edits, State
from stylus_ext.core.family import display_name, partly
from stylus_ext.core.file_names import NO_TAG_NAMES, FileNames, TagNames
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import spans
from stylus_ext.core.settings import Selection
from stylus_ext.selection.compose.rules import MAX_NEAR_MISSES, RuleComposer
from tests.fakes import make_entry


def query(prompt: str, **limits: Any) -> Query:
    return Query(parse_prompt(prompt), parse_prompt(""), replace(Selection(), **limits))


def found(
    prompt: str, number: int, name: str, at: str = "", *, sure: float = 0.9, **more: Any
) -> Candidate:
    """A candidate with evidence at the span that holds `at`; `named`, `trigger` and `rarity`
    belong to the evidence.
    """
    seen = Evidence(
        0.6, 0.6, more.pop("named", ()), more.pop("trigger", ""), more.pop("rarity", 6.0), sure
    )
    local = {span.start: seen for span in spans(parse_prompt(prompt)) if at and at in span.text}
    assert local or not at
    return Candidate(make_entry(number, name, **more), sure, seen, local)


def compose(
    prompt: str, *candidates: Candidate, refused: tuple[NearMiss, ...] = (), **limits: Any
) -> Composition:
    asked = query(prompt, **limits)
    return RuleComposer().compose(asked, Candidates(candidates, spans(asked.prompt), 0.9, refused))


def names(composition: Composition) -> list[str]:
    return [pick.name for pick in composition.picks]


def reason(composition: Composition, name: str) -> str:
    return next(miss.reason for miss in composition.near_misses if miss.name == name)


def on_disk(stem: str) -> tuple[LocalFile, ...]:
    return (LocalFile(f"{stem}.safetensors", stem, 1, 1),)


SCENE = "a copper train beside a teapot in a night market"


def test_each_task_gets_its_adapter_with_a_reason() -> None:
    composition = compose(
        SCENE,
        found(SCENE, 1, "Copper Train", "copper train", kind="vehicle", named=("copper", "train")),
        found(SCENE, 2, "Night Market", "night market", kind="background", sure=0.8),
    )
    assert [task.text for task in composition.tasks] == ["copper train", "teapot", "night market"]
    assert [(pick.name, pick.task) for pick in composition.picks] == [
        ("Copper Train", 2),
        ("Night Market", SCENE.index("night")),
    ]
    assert "copper train" in composition.picks[0].reason
    assert "night market" in composition.picks[1].reason


def test_a_trigger_is_quoted_as_written() -> None:
    prompt = "castle, InkwellStyle, rain, fog"
    composition = compose(
        prompt, found(prompt, 1, "Inkwell", "InkwellStyle", trigger="InkwellStyle")
    )
    assert '"InkwellStyle"' in composition.picks[0].reason


def test_nothing_rather_than_something_wrong() -> None:
    composition = compose(SCENE, found(SCENE, 1, "Iron Train", "copper train", sure=0.3))
    assert composition.picks == ()
    assert "30%" in reason(composition, "Iron Train")
    assert len(composition.tasks) == 3


@pytest.mark.parametrize(
    ("strictness", "picked"), [(0.0, True), (0.25, True), (0.5, False), (1.0, False)]
)
def test_strictness_moves_the_line(strictness: float, picked: bool) -> None:
    composition = compose(
        SCENE, found(SCENE, 1, "Iron Train", "copper train", sure=0.4), strictness=strictness
    )
    assert bool(composition.picks) is picked


class TestLimits:
    def test_one_for_a_task(self) -> None:
        rivals = [
            found(
                SCENE,
                number,
                f"Train {number}",
                "copper train",
                kind="vehicle",
                sure=0.9 - number / 100,
            )
            for number in (1, 2, 3)
        ]
        assert names(compose(SCENE, *rivals)) == ["Train 1"]
        assert "Train 1" in reason(compose(SCENE, *rivals), "Train 2")
        assert names(compose(SCENE, *rivals, per_task=2)) == ["Train 1", "Train 2"]

    def test_so_many_in_all(self) -> None:
        all_three = [
            found(SCENE, at, text, text, kind="object")
            for at, text in enumerate(("copper train", "teapot", "night market"), 1)
        ]
        assert len(compose(SCENE, *all_three).picks) == 3
        assert len(compose(SCENE, *all_three, max_adapters=2).picks) == 2
        assert compose(SCENE, *all_three, max_adapters=0).picks == ()

    def test_two_styles_at_most(self) -> None:
        prompt = "inkwell, watercolor, woodcut, stained glass"
        styles = [
            found(prompt, at, text, text)
            for at, text in enumerate(("inkwell", "watercolor", "woodcut"), 1)
        ]
        assert names(compose(prompt, *styles)) == ["inkwell", "watercolor"]
        assert "2 styles" in reason(compose(prompt, *styles), "woodcut")
        assert len(compose(prompt, *styles, max_styles=3).picks) == 3

    def test_the_second_best_of_a_task_is_its_alternative(self) -> None:
        train = found(SCENE, 1, "Copper Train", "copper train", kind="object")
        others = [
            found(SCENE, 2, "Sweater", "copper train", kind="clothing", sure=0.88),
            found(SCENE, 3, "Train", "copper train", kind="object", sure=0.85),
            found(SCENE, 4, "Rails", "copper train", kind="object", sure=0.84),
        ]
        assert compose(SCENE, train).alternatives == ()
        assert compose(SCENE, train, others[0]).alternatives == ()
        (other,) = compose(SCENE, train, *others[1:]).alternatives
        assert (other.name, other.task) == ("Train", compose(SCENE, train).picks[0].task)
        unsure = found(SCENE, 5, "Wagon", "copper train", kind="object", sure=0.6)
        assert compose(SCENE, train, unsure).alternatives == ()

    def test_what_the_prompt_names_is_asked_for(self) -> None:
        pair = (
            found(SCENE, 1, "Copper Train", "copper train", kind="object", named=("copper",)),
            found(SCENE, 2, "Teapot", "teapot", kind="object", sure=0.8),
        )
        assert [pick.asked_for for pick in compose(SCENE, *pair).picks] == [True, False]

    def test_one_family_where_it_is_open_and_its_relatives_where_they_are_allowed(self) -> None:
        pair = (
            found(SCENE, 1, "Copper Train", "copper train", kind="object", family="pony"),
            found(SCENE, 2, "Teapot", "teapot", kind="object", family="flux1", sure=0.8),
            found(
                SCENE,
                3,
                "Night Market",
                "night market",
                family="illustrious",
                kind="object",
                sure=0.7,
            ),
        )
        assert names(compose(SCENE, *pair)) == ["Copper Train"]
        assert display_name("flux1") in reason(compose(SCENE, *pair), "Teapot")
        assert partly("illustrious", "pony") in reason(compose(SCENE, *pair), "Night Market")
        assert names(compose(SCENE, *pair, partial=True)) == ["Copper Train", "Night Market"]
        assert display_name("flux1") in reason(compose(SCENE, *pair, partial=True), "Teapot")

    def test_an_unknown_family_shuts_out_nothing(self) -> None:
        pair = (
            found(SCENE, 1, "Copper Train", "copper train", kind="object", family="unknown"),
            found(SCENE, 2, "Teapot", "teapot", kind="object", family="sd1", sure=0.8),
        )
        assert names(compose(SCENE, *pair)) == ["Copper Train", "Teapot"]
        assert names(compose(SCENE, pair[0])) == ["Copper Train"]


class TestDemands:
    def test_a_character_must_be_named(self) -> None:
        prompt = "pilot, goggles, red scarf, sky"
        stranger = found(prompt, 1, "Mira Vanthal", "pilot", kind="character")
        assert "character" in reason(compose(prompt, stranger), "Mira Vanthal")
        prompt = "mira vanthal, goggles, red scarf, sky"
        named = found(
            prompt, 1, "Mira Vanthal", "mira", kind="character", named=("mira", "vanthal")
        )
        assert [(pick.name, pick.pinned) for pick in compose(prompt, named).picks] == [
            ("Mira Vanthal", True)
        ]

    def test_a_common_word_is_no_name_by_itself(self) -> None:
        prompt = "a fern beside a mossy rock"
        fern = found(prompt, 1, "Fern", "fern", kind="character", named=("fern",), rarity=3.0)
        assert compose(prompt, fern).picks == ()
        prompt = "fern, purple hair, staff, forest"
        mage = found(
            prompt,
            1,
            "Fern",
            "fern",
            kind="character",
            named=("fern",),
            rarity=3.0,
            triggers=("fern, purple hair",),
        )
        assert names(compose(prompt, mage)) == ["Fern"]

    @pytest.mark.parametrize("flag", ["slider", "speed", "utility"])
    def test_tools_only_when_they_are_asked_for(self, flag: str) -> None:
        tool = found(SCENE, 1, "Some Tool", "copper train", **{flag: True})
        assert flag in reason(compose(SCENE, tool), "Some Tool")

    def test_a_tool_that_is_asked_for(self) -> None:
        prompt = "a muscle slider on a blacksmith"
        tool = found(
            prompt, 1, "Muscle Slider", "muscle slider", slider=True, named=("muscle", "slider")
        )
        assert names(compose(prompt, tool)) == ["Muscle Slider"]

    def test_a_weak_card_needs_its_name(self) -> None:
        weak = found(SCENE, 1, "epoch 9", "copper train", weak=True)
        assert reason(compose(SCENE, weak), "epoch 9")
        assert names(
            compose(
                SCENE, found(SCENE, 1, "epoch 9", "copper train", weak=True, trigger="copper train")
            )
        ) == ["epoch 9"]


class TestTheUsersOwn:
    PROMPT = "a copper train beside a teapot <lora:coppertrain:0.7>"

    def test_it_counts_and_is_not_added_again(self) -> None:
        own = found(
            self.PROMPT,
            1,
            "Copper Train",
            "copper train",
            kind="vehicle",
            files=on_disk("coppertrain"),
        )
        other = found(self.PROMPT, 2, "Iron Train", "copper train", kind="vehicle", sure=0.8)
        pot = found(self.PROMPT, 3, "Teapot", "teapot", kind="object", sure=0.7)
        composition = compose(self.PROMPT, own, other, pot)
        assert names(composition) == ["Teapot"]
        assert [task.taken_by for task in composition.tasks] == ["coppertrain", ""]
        assert "you" in reason(composition, "Copper Train")
        assert "coppertrain" in reason(composition, "Iron Train")
        assert compose(self.PROMPT, own, other, pot, max_adapters=1).picks == ()

    def test_it_is_known_by_its_alias_too(self) -> None:
        prompt = "a copper train beside a graffiti <lora:Rails of 1900:0.7>"
        own = found(
            prompt, 1, "Copper Train", "copper train", kind="style", files=on_disk("coppertrain")
        )
        other = found(prompt, 2, "Iron Train", "copper train", kind="vehicle", sure=0.8)
        pot = found(prompt, 3, "Graffiti", "graffiti", kind="style", sure=0.7)
        asked = replace(
            query(prompt, max_styles=1),
            names=TagNames.of([FileNames(own.key, "coppertrain", "Rails of 1900")]),
        )
        composition = RuleComposer().compose(
            asked, Candidates((own, other, pot), spans(asked.prompt), 0.9)
        )
        assert names(composition) == []
        assert [task.taken_by for task in composition.tasks] == ["Rails of 1900", ""]
        assert "you" in reason(composition, "Copper Train")
        assert "Rails of 1900" in reason(composition, "Iron Train")
        assert "1 style" in reason(composition, "Graffiti")
        assert names(
            RuleComposer().compose(
                replace(asked, names=NO_TAG_NAMES), Candidates((own,), spans(asked.prompt))
            )
        ) == ["Copper Train"]

    @pytest.mark.parametrize(
        ("prompt", "most", "said"),
        [
            (
                "a bee <lora:x1:1><lora:y1:1>",
                2,
                ("2 LoRAs", "your own"),
            ),
            ("a bee", 0, ("0 LoRAs",)),
            ("a bee, wasp", 1, ("1 LoRA ", "--max-adapters")),
            (
                "a bee, wasp, ant",
                2,
                ("2 LoRAs", "--max-adapters"),
            ),
        ],
    )
    def test_what_fills_the_room_is_said_as_it_is(
        self, prompt: str, most: int, said: tuple[str, ...]
    ) -> None:
        wanted = ("ant", "bee", "wasp")
        crowd = [
            found(prompt, number, word, word, kind="animal", sure=0.9 - number / 100)
            for number, word in enumerate(wanted)
            if word in prompt
        ]
        composition = compose(prompt, *reversed(crowd), max_adapters=most)
        assert all(part in composition.near_misses[0].reason for part in said)

    def test_an_unknown_one_takes_the_task_of_its_name(self) -> None:
        prompt = "a copper train beside a teapot <lora:teapot_v3:1>"
        assert [task.taken_by for task in compose(prompt).tasks] == ["", "teapot_v3"]

    def test_other_networks_do_not_count(self) -> None:
        prompt = "a copper train <hypernet:train:1>"
        train = found(prompt, 1, "Copper Train", "copper train", kind="vehicle")
        assert names(compose(prompt, train, max_adapters=1)) == ["Copper Train"]

    def test_always_is_picked_first_and_pinned(self) -> None:
        always = found("a bee", 1, "Grainy Film", sure=0.0, edits=Edits(state="always"))
        composition = compose(
            "a bee", found("a bee", 2, "Bee", "bee", kind="animal"), always, max_adapters=1
        )
        assert [(pick.name, pick.pinned) for pick in composition.picks] == [("Grainy Film", True)]
        assert "always" in composition.picks[0].reason.lower()

    def test_always_takes_no_place_that_it_was_not_asked_for(self) -> None:
        always = found("a bee", 1, "Grainy Film", "bee", sure=0.1, edits=Edits(state="always"))
        bee, other = (
            found("a bee", 2, "Bee", "bee", kind="animal"),
            found("a bee", 3, "Wasp", "bee", sure=0.8, kind="animal"),
        )
        composition = compose("a bee", other, bee, always)
        assert names(composition) == ["Grainy Film", "Bee"]
        assert "Bee" in reason(composition, "Wasp")

    def test_always_moves_out_of_a_task_that_another_serves(self) -> None:
        prompt = "a bee beside a clock"
        always = found(prompt, 1, "Grainy Film", "bee", sure=0.1, edits=Edits(state="always"))
        composition = compose(prompt, always, found(prompt, 2, "Bee", "bee", kind="animal"))
        task_of = {pick.name: pick.task for pick in composition.picks}
        assert {task.start: task.text for task in composition.tasks} == {
            task_of["Bee"]: "bee",
            task_of["Grainy Film"]: "clock",
        }

    def test_always_keeps_the_place_that_it_was_asked_for(self) -> None:
        always = found("a bee", 1, "Honey Bee", "bee", kind="animal", edits=Edits(state="always"))
        composition = compose("a bee", found("a bee", 2, "Bee", "bee", kind="animal"), always)
        assert names(composition) == ["Honey Bee"]
        assert "Honey Bee" in reason(composition, "Bee")

    def test_always_without_any_task_serves_the_whole(self) -> None:
        always = found("masterpiece", 1, "Grainy Film", edits=Edits(state="always"))
        composition = compose("masterpiece", always)
        assert [task.text for task in composition.tasks] == ["masterpiece"]
        assert names(composition) == ["Grainy Film"]


def test_one_adapter_that_spans_two_tasks_merges_them() -> None:
    prompt = "mira, vanthal, sky, fog"
    mira = found(prompt, 1, "Mira Vanthal", "mira", kind="character", named=("mira", "vanthal"))
    mira = replace(mira, spans={**mira.spans, prompt.index("vanthal"): mira.evidence})
    composition = compose(prompt, mira)
    assert [task.text for task in composition.tasks] == ["mira, vanthal", "sky", "fog"]
    assert composition.picks[0].task == 0


def test_near_misses_are_few_and_hold_what_the_retriever_refused() -> None:
    crowd = [
        found(SCENE, number, f"Train {number}", "copper train", sure=0.2) for number in range(1, 4)
    ]
    composition = compose(
        SCENE, *crowd, refused=(NearMiss(AdapterKey.civitai(99), "Nude Teapot", "not safe"),)
    )
    assert [miss.name for miss in composition.near_misses] == [
        "Train 1",
        "Train 2",
        "Train 3",
        "Nude Teapot",
    ]
    many = [
        found(SCENE, number, f"Train {number}", "copper train", sure=0.2) for number in range(1, 40)
    ]
    assert len(compose(SCENE, *many).near_misses) == MAX_NEAR_MISSES


def test_what_is_hardly_meant_is_no_near_miss() -> None:
    named = {"named": ("copper", "train")}
    train = found(SCENE, 1, "Copper Train", "copper train", sure=0.19, **named)
    person = found(SCENE, 2, "Market Person", "night market", sure=0.19, kind="person")
    assert compose(SCENE, train, person).near_misses == ()
    slider = found(SCENE, 3, "Copper Train", "copper train", sure=0.19, slider=True, **named)
    assert [miss.name for miss in compose(SCENE, slider).near_misses] == ["Copper Train"]


def test_refusals_have_their_place_among_many() -> None:
    many = [
        found(SCENE, number, f"Train {number}", "copper train", sure=0.2) for number in range(1, 40)
    ]
    refused = tuple(
        NearMiss(AdapterKey.civitai(900 + number), f"Refused {number}", "not safe")
        for number in range(9)
    )
    shown = [miss.name for miss in compose(SCENE, *many, refused=refused).near_misses]
    assert shown[-3:] == ["Refused 0", "Refused 1", "Refused 2"]
    assert len(shown) == MAX_NEAR_MISSES


def test_a_relative_of_the_model_is_said() -> None:
    train = found(SCENE, 1, "Copper Train", "copper train", kind="vehicle", family="sdxl")
    partial = compose(SCENE, train, family="pony", partial=True).picks[0].reason
    assert partly("sdxl", "pony") in partial
    for same in (compose(SCENE, train, family="sdxl"), compose(SCENE, train)):
        assert "SDXL" not in same.picks[0].reason


def test_of_equals_the_one_made_for_the_model_is_taken() -> None:
    relative = found(SCENE, 1, "Copper Train", "copper train", kind="vehicle", family="sdxl")
    own = found(SCENE, 2, "Brass Train", "copper train", kind="vehicle", family="pony")
    assert names(compose(SCENE, relative, own, family="pony", partial=True)) == ["Brass Train"]


def test_weights_are_the_entrys_or_unknown() -> None:
    pair = (
        found(SCENE, 1, "A", "teapot", kind="object", weight=0.65),
        found(SCENE, 2, "B", "copper train", kind="object"),
    )
    assert [pick.weight for pick in compose(SCENE, *pair).picks] == [0.65, None]


KINDS = st.sampled_from(["style", "character", "object", "clothing"])
_STATES: tuple[State, ...] = ("auto", "auto", "always")
FAMILIES = st.sampled_from(["sd1", "sdxl", "pony"])


@st.composite
def crowds(draw: st.DrawFn) -> list[Candidate]:
    starts = [span.start for span in spans(parse_prompt(SCENE))]
    crowd = []
    for number in range(draw(st.integers(0, 8))):
        seen = Evidence(
            draw(st.floats(0, 1)),
            draw(st.floats(0, 1)),
            rarity=draw(st.floats(0, 9)),
            sure=draw(st.floats(0, 1)),
        )
        state: State = draw(st.sampled_from(_STATES))
        entry = make_entry(
            number + 1,
            f"A {number}",
            kind=draw(KINDS),
            family=draw(FAMILIES),
            edits=Edits(state=state),
        )
        crowd.append(
            Candidate(
                entry,
                1.0,
                seen,
                {start: seen for start in draw(st.lists(st.sampled_from(starts), unique=True))},
            )
        )
    return crowd


@settings(max_examples=150, deadline=None)
@given(crowds(), st.integers(0, 4), st.integers(0, 3), st.floats(0, 1), st.booleans())
def test_limits_hold_for_any_crowd(
    crowd: list[Candidate], most: int, per_task: int, strictness: float, partial: bool
) -> None:
    composition = compose(
        SCENE,
        *crowd,
        partial=partial,
        max_adapters=most,
        per_task=per_task,
        max_styles=1,
        strictness=strictness,
    )
    entries = {candidate.key: candidate.entry for candidate in crowd}
    picked = [entries[pick.key] for pick in composition.picks]
    assert len(picked) <= most
    assert sum(entry.kind == "style" for entry in picked) <= 1
    assert (
        len({"sdxl" if partial and entry.family == "pony" else entry.family for entry in picked})
        <= 1
    )
    chosen = [pick for pick in composition.picks if entries[pick.key].edits.state != "always"]
    assert all(
        sum(pick.task == task.start for pick in chosen) <= per_task for task in composition.tasks
    )
    assert not {pick.key for pick in composition.picks} & {
        miss.key for miss in composition.near_misses
    }
    assert all(
        pick.reason and SCENE[task.start : task.end] == task.text
        for pick in composition.picks
        for task in composition.tasks
    )
