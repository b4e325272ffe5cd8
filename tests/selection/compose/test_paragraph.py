"""What the rule composer promises, one test for each promise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.composition import Candidate, Evidence
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import spans
from tests.fakes import make_entry
from tests.selection.compose.test_rules import compose, found, names, reason

STOCK = (
    "masterpiece",
    "best quality",
    "(best quality:1.3)",
    "score_9",
    "score_8_up",
    "score_7",
    "rating_safe",
    "rating:explicit",
    "source_anime",
    "absurdres",
    "highres",
    "8k uhd",
    "very aesthetic",
    "newest",
    "1girl",
    "2boys",
    "1girl, 1boy",
    "solo",
    "no humans",
    "nsfw",
    "sfw",
    "ultra-detailed",
    "year 2024",
    "((masterpiece))",
    "no text",
    "award winning",
)
SUBJECTS = ("copper train", "teapot", "night market", "mossy rock", "fog")


@given(
    st.lists(st.sampled_from([*STOCK, *SUBJECTS, "a cat sitting on a wooden chair"]), max_size=12)
)
def test_tasks_are_disjoint_and_stock_makes_none(pieces: list[str]) -> None:
    prompt = ", ".join(pieces)
    tasks = compose(prompt).tasks
    assert all(first.end <= second.start for first, second in zip(tasks, tasks[1:], strict=False))
    assert all(prompt[task.start : task.end] == task.text for task in tasks)
    stock = {piece.strip("()").split(":")[0] for piece in STOCK}
    assert not stock & {task.text for task in tasks}
    assert {task.text for task in tasks} >= {piece for piece in pieces if piece in SUBJECTS}


@pytest.mark.parametrize("stock", STOCK)
def test_stock_alone_is_no_task(stock: str) -> None:
    assert spans(parse_prompt(stock)) == ()


@pytest.mark.parametrize(
    "prompt", ["a dragon with emerald scales in a cave", "dragon, emerald scales, cave, night"]
)
def test_an_adapter_that_spans_two_tasks_merges_them(prompt: str) -> None:
    seen = Evidence(0.8, 0.8, ("dragon", "emerald", "scale"), "", 15.0, 0.9)
    wide = Candidate(
        make_entry(1, "Dragon of Emerald Scales", kind="animal"),
        0.9,
        seen,
        {prompt.index("dragon"): seen, prompt.index("emerald"): seen},
    )
    composition = compose(prompt, wide)
    assert [task.text for task in composition.tasks if composition.of_task(task.start)] == [
        prompt[prompt.index("dragon") : prompt.index("scales") + 6]
    ]


def test_each_adapter_once_and_no_more_than_so_many_for_a_task() -> None:
    prompt = "teapot, kettle, samovar, fog"
    both = found(prompt, 1, "Teapot", "teapot", kind="object")
    both = replace(both, spans={start: both.evidence for start in (0, prompt.index("kettle"))})
    crowd = [
        found(prompt, number, f"Kettle {number}", "kettle", kind="object", sure=0.8)
        for number in (2, 3, 4)
    ]
    composition = compose(prompt, both, *crowd, per_task=2, max_adapters=10)
    assert names(composition).count("Teapot") == 1
    assert all(len(composition.of_task(task.start)) <= 2 for task in composition.tasks)


@pytest.mark.parametrize("kind", ["character", "person"])
@pytest.mark.parametrize(
    ("prompt", "picked"),
    [
        ("mira vanthal on a bridge", True),
        ("a pilot from skyreach saga on a bridge", False),
        ("a girl with goggles on a bridge", False),
    ],
)
def test_characters_and_real_persons_only_when_they_are_named(
    kind: str, prompt: str, picked: bool
) -> None:
    seen = {"mira": ("mira", "vanthal"), "skyreach": ("skyreach", "saga")}
    called = next((words for first, words in seen.items() if first in prompt), ())
    mira = found(
        prompt,
        1,
        "Mira Vanthal | Skyreach Saga",
        "bridge",
        kind=kind,
        named=called,
        trigger="" if called else "goggles",
        triggers=("mira vanthal, goggles",),
        tags=("skyreach saga",),
        rarity=12.0,
    )
    composition = compose(prompt, mira)
    assert bool(composition.picks) is picked
    assert picked or kind in reason(composition, "Mira Vanthal | Skyreach Saga")


@pytest.mark.parametrize(
    ("flag", "name", "asked", "not_asked"),
    [
        ("slider", "Muscle Slider", "muscle slider, smith", "a smith with muscle"),
        ("speed", "LCM Steps", "lcm, a smith", "a smith, fast strokes"),
        ("utility", "Detail Tweaker", "detail tweaker, smith", "a smith, much detail"),
    ],
)
def test_sliders_speed_and_detail_only_when_asked_for(
    flag: str, name: str, asked: str, not_asked: str
) -> None:
    for prompt, picked in ((asked, True), (not_asked, False)):
        words = (
            tuple(name.lower().split())
            if all(word in prompt for word in name.lower().split())
            else ()
        )
        assert (
            bool(
                compose(
                    prompt,
                    found(prompt, 1, name, "smith", kind="concept", named=words, **{flag: True}),
                ).picks
            )
            is picked
        )


def test_at_most_two_styles() -> None:
    prompt = "papercut, woodcut, claymation, fox"
    styles = [
        found(prompt, at, text, text)
        for at, text in enumerate(("papercut", "woodcut", "claymation"), 1)
    ]
    composition = compose(prompt, *styles)
    assert names(composition) == ["papercut", "woodcut"]
    assert "2 styles" in reason(composition, "claymation")
    assert "1 style" in reason(compose(prompt, *styles, max_styles=1), "woodcut")


@pytest.mark.parametrize(
    ("prompt", "at", "facts", "picked"),
    [
        ("a glass of wine on a table", "glass", {"name": "Glass Teapot", "kind": "object"}, False),
        (
            "a glass teapot on a table",
            "glass teapot",
            {"name": "Glass Teapot", "kind": "object"},
            True,
        ),
        (
            "a train under a bridge",
            "train",
            {"name": "Eastern 205 series / train interior", "kind": "background"},
            False,
        ),
        (
            "a plate of spaghetti",
            "plate",
            {"name": "Old Storybook Plates", "kind": "style", "tags": ("storybook",)},
            False,
        ),
        (
            "a storybook about spaghetti",
            "storybook",
            {"name": "Old Storybook Plates", "kind": "style", "tags": ("storybook",)},
            True,
        ),
    ],
)
def test_nothing_much_narrower_than_its_task(
    prompt: str, at: str, facts: dict[str, Any], picked: bool
) -> None:
    name, more = facts["name"], {fact: value for fact, value in facts.items() if fact != "name"}
    composition = compose(prompt, found(prompt, 1, name, at, **more))
    assert bool(composition.picks) is picked
    assert picked or composition.near_misses[0].reason


@pytest.mark.parametrize(
    ("evidence", "picked"),
    [
        ({}, False),
        ({"named": ("forest",), "rarity": 6.9}, False),
        ({"named": ("zqxforest",), "rarity": 6.9}, True),
        ({"trigger": "zqx", "rarity": 6.9}, True),
        ({"named": ("forest", "spirit"), "rarity": 8.0}, True),
    ],
)
def test_a_card_known_from_tag_frequencies_needs_its_name_or_a_distinctive_trigger(
    evidence: dict[str, Any], picked: bool
) -> None:
    prompt = "misty forest, tall trees, path"
    weak = found(
        prompt, 1, "forest_test", "misty forest", **{"weak": True, "kind": "background", **evidence}
    )
    assert bool(compose(prompt, weak).picks) is picked


@pytest.mark.parametrize(
    ("prompt", "picked"),
    [
        ("a fern beside a mossy rock", False),
        ("power lines over a field", False),
        ("fern, purple hair, staff", True),
    ],
)
def test_names_that_are_common_words_need_more(prompt: str, picked: bool) -> None:
    name = prompt.replace(",", "").split()[0 if prompt[0] != "a" else 1]
    girl = found(
        prompt,
        1,
        name.title(),
        name,
        kind="character",
        named=(name,),
        rarity=6.9,
        triggers=(f"{name}, purple hair",),
    )
    assert bool(compose(prompt, girl).picks) is picked


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.sampled_from(["style", "character", "object"]),
            st.sampled_from(SUBJECTS),
        ),
        max_size=8,
    )
)
def test_a_reason_in_words_for_every_pick_and_near_miss(
    crowd: list[tuple[float, str, str]],
) -> None:
    prompt = ", ".join(SUBJECTS)
    made = [
        found(prompt, number, f"{at} {number}", at, kind=kind, sure=sure)
        for number, (sure, kind, at) in enumerate(crowd, 1)
    ]
    composition = compose(prompt, *made)
    said = [pick.reason for pick in composition.picks] + [
        miss.reason for miss in composition.near_misses
    ]
    assert all(len(text.split()) >= 3 for text in said)
    told = {pick.name for pick in composition.picks} | {
        miss.name for miss in composition.near_misses
    }
    assert told >= {
        candidate.entry.card.name for candidate in made if candidate.evidence.sure >= 0.5
    }
