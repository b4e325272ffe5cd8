from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, NearMiss, Pick, Tag, Task
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.plan import MissingFile, Outcome, Plan, from_json, to_json, unchanged

texts = st.text(max_size=30)
keys = st.integers(0, 999).map(AdapterKey.civitai)
scores = st.integers(0, 10_000).map(lambda number: number / 10_000)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    starts = draw(st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True))
    tasks = tuple(Task(draw(texts), start, start + 1, taken_by=draw(texts)) for start in starts)
    picks = tuple(
        Pick(
            key,
            draw(st.sampled_from(starts)),
            draw(texts),
            draw(st.none() | scores),
            draw(texts),
            score=draw(scores),
            pinned=draw(st.booleans()),
        )
        for key in draw(st.lists(keys, max_size=4, unique=True))
    )
    batches = draw(st.integers(1, 4))
    masks = tuple(
        Mask(frozenset(pick.key for pick in picks if draw(st.booleans()))) for _ in range(batches)
    )
    prompts = tuple(draw(texts) for _ in range(batches))
    return Plan(
        prompt=draw(texts),
        negative_prompt=draw(texts),
        seed=draw(st.integers(0, 2**32)),
        composition=Composition(
            tasks,
            picks,
            tuple(
                NearMiss(key, draw(texts), draw(texts), draw(scores))
                for key in draw(st.lists(keys, max_size=2))
            ),
        ),
        masks=masks,
        prompts=prompts,
        negative_prompts=prompts[::-1],
        tags=tuple(
            Tag(
                pick.key,
                draw(texts),
                draw(st.booleans()),
                tuple(draw(st.lists(texts, max_size=2))),
                draw(texts),
            )
            for pick in picks
            if draw(st.booleans())
        ),
        missing=tuple(
            MissingFile(
                key, draw(texts), draw(texts), draw(st.integers(0)), draw(st.none() | texts)
            )
            for key in draw(st.lists(keys, max_size=2))
        ),
        notes=tuple(Note(draw(texts), draw(texts)) for _ in range(draw(st.integers(0, 2)))),
        family=draw(texts),
        confidence=draw(scores),
        catalogue=draw(texts),
    )


@given(plans())
def test_a_plan_survives_json(plan: Plan) -> None:
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


def test_the_json_says_what_a_caller_needs() -> None:
    key = AdapterKey.civitai(7)
    plan = Plan(
        "a fox",
        "blurry",
        5,
        Composition(
            (Task("fox", 2, 5),), (Pick(key, 2, "Foxes", 0.8, "its name stands in the prompt"),)
        ),
        (Mask(frozenset({key})), Mask(frozenset())),
        ("a fox <lora:foxes:0.8>", "a fox"),
        ("blurry", "blurry"),
        tags=(Tag(key, "foxes", False, ("foxy",)),),
        missing=(MissingFile(key, "Foxes", "foxes.safetensors", 1234),),
    )
    data = to_json(plan)
    assert data["version"] == 2
    assert data["prompts"] == ["a fox <lora:foxes:0.8>", "a fox"]
    assert data["tasks"][0]["picks"] == ["civitai:7"]
    assert data["picks"][0]["stem"] == "foxes"
    assert data["picks"][0]["triggers"] == ["foxy"]
    assert data["picks"][0]["reason"]
    assert data["masks"] == [["civitai:7"], []]
    assert data["missing"] == [
        {
            "key": "civitai:7",
            "name": "Foxes",
            "file": "foxes.safetensors",
            "size": 1234,
            "sha256": None,
            "type": "lora",
        }
    ]


def test_an_unchanged_plan_says_why() -> None:
    plan = unchanged("a fox", "blurry", 1, 3, Note("late", "There was no time."), Outcome.LATE)
    assert plan.prompts == ("a fox",) * 3
    assert plan.negative_prompts == ("blurry",) * 3
    assert len(plan.masks) == 3
    assert plan.notes[0].code == "late"
    assert (plan.outcome, plan.repeatable) == (Outcome.LATE, False)
    assert from_json(to_json(plan)) == plan


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"version": 3},
        {"version": 1},
        {"version": 1, "tasks": 3},
        {"version": 1, "tasks": [{"x": 1}]},
    ],
)
def test_what_is_not_a_plan_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        from_json(broken)


def test_a_plan_saved_before_the_rename_of_user_weight_is_read() -> None:
    pick = Pick(AdapterKey.path("a.safetensors"), 0, "A", 0.8, "why", user_weight=True)
    composition = Composition((Task("p", 0, 1),), (pick,))
    plan = unchanged("p", "", 1, 1, Note("n", "t"), Outcome.LATE)
    plan = replace(plan, composition=composition, outcome=Outcome.DONE, repeatable=True)
    saved = to_json(plan)
    saved["version"] = 1
    del saved["outcome"], saved["repeatable"]
    for one in saved["picks"]:
        one["said"] = one.pop("user_weight")
    assert from_json(saved) == plan
