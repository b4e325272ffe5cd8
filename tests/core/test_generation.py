"""A generation's request and answer travel as JSON and come back the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.generation import (
    EngineAnswerState,
    FolderState,
    GenerationAnswer,
    GenerationRequest,
    ImageMask,
    ImageSchedules,
    Texts,
    UsedAdapter,
    answer_from_json,
    answer_to_json,
    joined,
    request_from_json,
    request_to_json,
    unchanged_answer,
)
from stylus_ext.core.plan import MissingFile, Outcome
from stylus_ext.core.schedules import HostSteps

WORDS = st.sampled_from(["", "a corgi", "a fox", "星", "a\nb"])


@st.composite
def texts(draw: st.DrawFn, count: int) -> Texts:
    hires = draw(st.booleans())
    lists = [draw(st.lists(WORDS, min_size=count, max_size=count)) for _ in range(4)]
    return Texts(*(tuple(made) if hires or place < 2 else () for place, made in enumerate(lists)))


@st.composite
def requests(draw: st.DrawFn) -> GenerationRequest:
    count = draw(st.integers(1, 5))
    return GenerationRequest(
        texts=draw(texts(count)),
        seeds=tuple(draw(st.lists(st.integers(0, 2**40), min_size=count, max_size=count))),
        batch_size=draw(st.integers(1, 3)),
        settings=draw(st.sampled_from([{}, {"selection": {"family": "sd1"}}])),
        stems=draw(st.sampled_from([None, (), ("a", "b")])),
        inventory=draw(st.sampled_from([None, "12ab"])),
        lora_dirs=draw(st.sampled_from([(), ("/loras",)])),
        wait_for_folders=draw(st.booleans()),
        description=draw(WORDS),
        allowed_kinds=draw(st.sampled_from([None, (), ("style",)])),
        corrections=draw(st.sampled_from([None, {"reject": ["civitai:1"]}])),
        compare=draw(st.booleans()),
        downloads=draw(st.booleans()),
        without=draw(st.sampled_from([None, {}, {"civitai:1": "It is gone."}])),
        with_plans=draw(st.booleans()),
        deadline_s=draw(st.sampled_from([None, 0.0, 2.5])),
        host_steps=draw(st.sampled_from([None, HostSteps(20, 4)])),
        planning_s=draw(st.sampled_from([None, 1.0])),
    )


def over_the_wire(data: dict[str, Any]) -> dict[str, Any]:
    received: dict[str, Any] = json.loads(json.dumps(data))
    return received


@given(requests())
def test_a_request_comes_back_the_same(request: GenerationRequest) -> None:
    assert request_from_json(over_the_wire(request_to_json(request))) == request


def test_texts_that_images_share_travel_once() -> None:
    request = GenerationRequest(Texts(("a",) * 8, ("b",) * 8), tuple(range(8)), 4)
    assert request_to_json(request)["prompts"] == [{"prompt": "a", "negative_prompt": "b"}]


ANSWER = GenerationAnswer(
    texts=Texts(("a <lora:x:1>", "b"), ("", "lowres")),
    masks=(ImageMask(("x",), ("y",)), ImageMask()),
    adapters=(UsedAdapter("x", "civitai:1", "X"), UsedAdapter("y", "civitai:2", "Y", False)),
    missing=(MissingFile(AdapterKey.civitai(2), "Y", "y.safetensors", 12, "ab"),),
    notes=(Note("a", "One."),),
    state=EngineAnswerState(Outcome.DONE, FolderState.BUSY, False, False),
    elapsed_ms=1.5,
    schedules=(ImageSchedules({"x": ((0.0, 0.8), (0.5, 0.0))}), ImageSchedules()),
)
REQUEST = GenerationRequest(Texts(("a", "b"), ("", "lowres")), (1, 2), downloads=True)


def test_an_answer_comes_back_the_same() -> None:
    assert answer_from_json(over_the_wire(answer_to_json(ANSWER)), REQUEST) == ANSWER


def test_an_answer_of_an_older_engine_has_no_schedules() -> None:
    data = over_the_wire(answer_to_json(ANSWER))
    del data["schedules"]
    assert answer_from_json(data, REQUEST) == replace(ANSWER, schedules=())


def test_one_more_batch_is_expected_only_where_it_is_said() -> None:
    longer = replace(
        ANSWER,
        texts=ANSWER.texts + ANSWER.texts.part(0, 1),
        masks=(*ANSWER.masks, ImageMask()),
        schedules=(),
    )
    compared = replace(longer, compared=True)
    assert answer_from_json(answer_to_json(compared), REQUEST) == compared
    with pytest.raises(InvalidInput):
        answer_from_json(answer_to_json(longer), REQUEST)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.clear(),
        lambda data: data["images"].append(0),
        lambda data: data["images"].__setitem__(0, 7),
        lambda data: data["masks"].pop(),
        lambda data: data["schedules"].pop(),
        lambda data: data["schedules"][0]["first"].update(x=[[0.5, 1]]),
        lambda data: data["prompts"][0].pop("negative_prompt"),
        lambda data: data["state"].update(outcome="perhaps"),
        lambda data: data.pop("state"),
        lambda data: data["missing"][0].update(key="?"),
    ],
)
def test_anything_else_is_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    data = over_the_wire(answer_to_json(ANSWER))
    spoil(data)
    with pytest.raises(InvalidInput):
        answer_from_json(data, REQUEST)


def test_missing_files_are_refused_where_nothing_may_be_fetched() -> None:
    data = answer_to_json(ANSWER)
    for request in (replace(REQUEST, downloads=False), replace(REQUEST, without={})):
        with pytest.raises(InvalidInput):
            answer_from_json(data, request)


def test_a_request_has_as_many_texts_as_seeds() -> None:
    for texts, seeds, size in (
        (Texts((), ()), (), 1),
        (Texts(("a",), ()), (1,), 1),
        (Texts(("a",), ("",)), (1, 2), 1),
        (Texts(("a", "b"), ("", ""), ("c",), ("",)), (1, 2), 1),
        (Texts(("a",), ("",)), (1,), 0),
    ):
        with pytest.raises(InvalidInput):
            GenerationRequest(texts, seeds, size)


def test_an_unchanged_answer_is_not_to_be_kept() -> None:
    answer = unchanged_answer(REQUEST, Outcome.LATE, Note("late", "There was no time."))
    assert answer.texts == REQUEST.texts
    assert (answer.state.outcome, answer.state.repeatable) == (Outcome.LATE, False)
    assert answer_from_json(answer_to_json(answer), REQUEST) == answer


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_joined_as_in_a_sentence(names: list[str], text: str) -> None:
    assert joined(names) == text
