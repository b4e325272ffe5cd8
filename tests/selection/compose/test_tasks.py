from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import LocalFile
from stylus_ext.core.composition import Candidate, Evidence, Task
from stylus_ext.core.file_names import FileNames, TagNames
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import spans
from stylus_ext.core.settings import Selection
from stylus_ext.selection.compose.tasks import (
    UserAdapters,
    best_task,
    joint_tasks,
    mark_taken,
    merge_tasks,
    tasks_of,
    user_tags,
)
from tests.fakes import make_entry

PROMPT = "mira, vanthal, sky, fog, copper train"


def tasks(prompt: str = PROMPT) -> dict[int, Task]:
    return tasks_of(spans(parse_prompt(prompt)))


def asked(prompt: str) -> Query:
    return Query(parse_prompt(prompt), parse_prompt(""), Selection())


def at(word: str, prompt: str = PROMPT) -> int:
    return prompt.index(word)


def candidate(local: dict[int, Evidence], stem: str = "", **more: Any) -> Candidate:
    files = (LocalFile(f"{stem}.safetensors", stem, 1, 1),) if stem else ()
    return Candidate(make_entry(1, "Mira", files=files, **more), 1.0, Evidence(), local)


def test_tasks_are_the_spans() -> None:
    assert [task.text for task in tasks().values()] == [
        "mira",
        "vanthal",
        "sky",
        "fog",
        "copper train",
    ]
    assert all(start == task.start for start, task in tasks().items())


class TestOwnTags:
    def test_each_adapter_once_and_nothing_else(self) -> None:
        tags = user_tags(
            asked("a <lora:one:1> b <lora:one:0.5> <lyco:two:1> <hypernet:three:1> <custom:four:1>")
        )
        assert [tag.name for tag in tags] == ["one", "two"]

    def test_a_known_stem_takes_the_span_with_the_best_evidence(self) -> None:
        prompt = f"{PROMPT} <lora:my file:1>"
        known = candidate({at("sky"): Evidence(0.1, 0.3), at("fog"): Evidence(0.5, 0.5)}, "my file")
        found = mark_taken(tasks(prompt), [known], user_tags(asked(prompt)))
        assert {task.text: task.taken_by for task in found.values() if task.taken_by} == {
            "fog": "my file"
        }

    def test_so_does_an_alias_and_a_stem_goes_before_it(self) -> None:
        prompt = f"{PROMPT} <lora:Weather:1>"
        known = candidate({at("fog"): Evidence(0.5, 0.5)}, "my file")
        names = TagNames.of([FileNames(known.key, "my file", "Weather")])
        found = mark_taken(tasks(prompt), [known], user_tags(asked(prompt)), names)
        assert {task.text: task.taken_by for task in found.values() if task.taken_by} == {
            "fog": "Weather"
        }
        namesake = replace(
            candidate({at("sky"): Evidence(0.5, 0.5)}, "Weather"),
            entry=make_entry(2, files=(LocalFile("W", "Weather", 1, 1),)),
        )
        found = mark_taken(tasks(prompt), [known, namesake], user_tags(asked(prompt)), names)
        assert {task.text: task.taken_by for task in found.values() if task.taken_by} == {
            "sky": "Weather"
        }

    def test_what_is_own_is_known_by_any_of_its_names(self) -> None:
        known = make_entry(1, files=(LocalFile("a/x", "x", 1, 1), LocalFile("b/y", "y", 1, 1)))
        for name, own in (("x", True), ("y", True), ("z", True), ("w", False)):
            query = replace(
                asked(f"sky <lora:{name}:1>"), names=TagNames.of([FileNames(known.key, "x", "z")])
            )
            assert UserAdapters.of(query).has(known) is own
        assert not UserAdapters.of(asked("sky")).has(known)

    def test_an_unknown_one_goes_by_its_words(self) -> None:
        prompt = f"{PROMPT} <lora:Copper_Train_v2:1> <lora:zorblax:1>"
        found = mark_taken(tasks(prompt), [], user_tags(asked(prompt)))
        assert {task.text: task.taken_by for task in found.values() if task.taken_by} == {
            "copper train": "Copper_Train_v2"
        }

    def test_the_first_keeps_its_place(self) -> None:
        prompt = f"{PROMPT} <lora:train:1> <lora:copper train:1>"
        assert [
            task.taken_by
            for task in mark_taken(tasks(prompt), [], user_tags(asked(prompt))).values()
        ][-1] == "train"


class TestBestSpan:
    def test_a_name_beats_closeness(self) -> None:
        local = {at("sky"): Evidence(0.9, 0.9), at("mira"): Evidence(0.1, 0.1, ("mira",), "", 6.0)}
        assert best_task(candidate(local), tasks()) == at("mira")

    def test_the_first_of_equals(self) -> None:
        assert best_task(
            candidate({at("fog"): Evidence(0.5), at("sky"): Evidence(0.5)}), tasks()
        ) == at("sky")

    def test_none_without_evidence_or_with_evidence_elsewhere(self) -> None:
        assert best_task(candidate({}), tasks()) is None
        assert best_task(candidate({999: Evidence(1.0)}), tasks()) is None


class TestMerging:
    def both(self) -> Candidate:
        seen = Evidence(0.5, 0.5, ("mira", "vanthal"), "", 9.0)
        return candidate({at("mira"): seen, at("vanthal"): seen})

    def test_neighbours_that_make_the_name(self) -> None:
        assert joint_tasks(self.both(), at("vanthal"), tasks()) == [at("mira"), at("vanthal")]

    def test_not_what_only_stands_beside(self) -> None:
        local = {at("mira"): Evidence(0.5, 0.5, ("mira",), "", 9.0), at("vanthal"): Evidence(0.5)}
        assert joint_tasks(candidate(local), at("mira"), tasks()) == [at("mira")]

    def test_not_what_the_users_own_adapter_serves(self) -> None:
        prompt = f"{PROMPT} <lora:vanthal:1>"
        held = mark_taken(tasks(prompt), [], user_tags(asked(prompt)))
        assert joint_tasks(self.both(), at("mira"), held) == [at("mira")]

    def test_one_task_from_the_first_to_the_last(self) -> None:
        found = merge_tasks(tasks(), [at("mira"), at("vanthal")], PROMPT)
        assert [task.text for task in found.values()] == [
            "mira, vanthal",
            "sky",
            "fog",
            "copper train",
        ]
        assert found[0].end == len("mira, vanthal")

    def test_never_across_segments(self) -> None:
        prompt = "mira, sky, fog, rain BREAK vanthal, moon, owl, sand"
        held = tasks(prompt)
        assert merge_tasks(held, [at("rain", prompt), at("vanthal", prompt)], prompt) is held

    @pytest.mark.parametrize("starts", [[], [0]])
    def test_one_is_nothing_to_merge(self, starts: list[int]) -> None:
        held = tasks()
        assert merge_tasks(held, starts, PROMPT) is held

    @given(st.integers(0, 4), st.integers(0, 4))
    def test_merged_tasks_stay_disjoint_and_in_the_text(self, one: int, other: int) -> None:
        order = sorted(tasks())
        starts = order[min(one, other) : max(one, other) + 1]
        found = sorted(merge_tasks(tasks(), starts, PROMPT).values(), key=lambda task: task.start)
        assert len(found) == len(order) - len(starts) + 1
        assert all(PROMPT[task.start : task.end] == task.text for task in found)
        assert all(
            first.end <= second.start for first, second in zip(found, found[1:], strict=False)
        )


@pytest.mark.parametrize("name", ["a", " ", "the", "_", "v2"])
def test_a_name_without_a_word_serves_no_task(name: str) -> None:
    prompt = f"{PROMPT} <lora:{name}:1>"
    found = mark_taken(tasks(prompt), [], user_tags(asked(prompt)))
    assert [task.taken_by for task in found.values() if task.taken_by] == []
