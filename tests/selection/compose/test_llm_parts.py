"""The parts of the composer that asks: where its words stand, which cards it shows, what it takes
from an answer, what it remembers.
"""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.composition import Candidate, Candidates, Evidence
from stylus_ext.core.entry import Edits
from stylus_ext.core.ports import Query
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.prompt.phrases import spans
from stylus_ext.core.settings import Selection
from stylus_ext.llm import LlmAnswer, LlmRequest
from stylus_ext.selection.compose.llm import AnswerCache, answer_key
from stylus_ext.selection.compose.llm_prompt import (
    CompositionAnswer,
    PruningAnswer,
    ShownCards,
    composition_rules,
    pruning_rules,
    shown_cards,
)
from stylus_ext.selection.compose.llm_reply import TaskFinder, read_choice
from tests.chat_service.composing import cards
from tests.fakes import make_entry


@pytest.mark.parametrize(
    ("prompt", "said", "place"),
    [
        ("a Copper Train at night", "copper train", "Copper Train"),
        ("a Copper Train at night", "the trains", "Train"),
        ("(graffiti:1.2) of a corgi", "graffiti of a corgi", "graffiti:1.2) of a corgi"),
        ("cat, cat, dog", "cat", "cat"),
        ("a corgi on the wall", "corgi wall", "corgi on the wall"),
        ("[fox:wolf:0.5]", "wolf", "wolf"),
        ("猫在雨中, train", "雨中", "雨中"),
        ("a fox BREAK a wolf", "fox wolf", None),
        ("a fox AND a wolf", "a wolf", "wolf"),
        ("<lora:fox:1> wolf", "fox", None),
        ("__fox__ wolf", "fox", None),
        ("a fox # a wolf", "wolf", None),
        ("a fox", "", None),
        ("a fox", "the of", None),
        ("a fox", "fox " * 50, None),
        (r"a \(fox\)", "fox", "fox"),
        ("red-haired girl", "red haired girl", "red-haired girl"),
        ("fox's den", "fox", "fox"),
    ],
)
def test_where_a_models_words_stand(prompt: str, said: str, place: str | None) -> None:
    task = TaskFinder(parse_prompt(prompt)).find(said, [])
    assert (None if task is None else prompt[task.start : task.end]) == place
    assert task is None or task.text == place


def test_the_same_words_have_as_many_places_as_there_are() -> None:
    finder = TaskFinder(parse_prompt("cat, dog, cat"))
    first = finder.find("cat", [])
    assert first is not None
    second = finder.find("cat", [first])
    assert second is not None
    assert (first.start, second.start) == (0, 10)
    assert finder.find("cat", [first, second]) is None


@given(st.text(max_size=80), st.text(max_size=30))
def test_a_place_is_always_within_its_segment(prompt: str, said: str) -> None:
    parsed = parse_prompt(prompt)
    for text in (said, prompt[3:20], prompt):
        task = TaskFinder(parsed).find(text, [])
        if task is not None:
            segment = parsed.segments[task.segment]
            assert segment.start <= task.start < task.end <= segment.end
            assert prompt[task.start : task.end] == task.text


PROMPT = "castle, dragon, watercolor, rain"


def found(
    number: int, name: str, at: str = "", sure: float = 0.5, strong: float = 0.5, **more: object
) -> Candidate:
    local = {
        span.start: Evidence(strong, strong)
        for span in spans(parse_prompt(PROMPT))
        if at and at in span.text
    }
    return Candidate(make_entry(number, name, **more), sure, Evidence(0.5, 0.5, sure=sure), local)  # type: ignore[arg-type]


def show(*candidates: Candidate, most: int = 24, **limits: object) -> ShownCards:
    prompt = parse_prompt(PROMPT)
    asked = Query(prompt, parse_prompt(""), replace(Selection(), **limits))  # type: ignore[arg-type]
    return shown_cards(asked, Candidates(candidates, spans(prompt)), most)


def names(them: ShownCards) -> list[str]:
    return [one.entry.card.name for one in them.candidates]


def test_each_part_of_the_prompt_has_its_turn() -> None:
    dragons = [
        found(number, f"dragon {number}", "dragon", model_id=number) for number in range(1, 9)
    ]
    assert names(
        show(
            *dragons,
            found(20, "keep", "castle", model_id=20),
            found(21, "aquarelle", "watercolor", model_id=21),
            most=4,
        )
    ) == [
        "keep",
        "dragon 1",
        "aquarelle",
        "dragon 2",
    ]


def test_no_more_than_two_of_one_series() -> None:
    dragons = [found(number, f"dragon v{number}", "dragon", model_id=7) for number in range(1, 6)]
    assert names(show(*dragons)) == ["dragon v1", "dragon v2"]


def test_only_one_family_is_shown() -> None:
    mixed = (
        found(1, "a", "dragon", family="sdxl", model_id=1),
        found(2, "b", "castle", family="sd1", model_id=2),
        found(3, "c", "rain", family="sdxl", model_id=3),
    )
    assert names(show(*mixed)) == ["a", "c"]


def test_what_the_user_wants_always_is_used_already() -> None:
    always = found(1, "Mine", "dragon", edits=Edits(state="always"), model_id=1)
    other = found(2, "Other", "dragon", model_id=2)
    them = show(always, other)
    assert names(them) == ["Other"]
    assert "In use already, for their own tasks: Mine" in them.text


def test_cards_are_one_short_line_each() -> None:
    long = found(
        1,
        "A | b\nc",
        "dragon",
        text="It draws dragons. " * 60,
        tags=tuple(f"tag{number}" for number in range(40)),
        triggers=("x" * 300,) * 9,
        model_id=1,
    )
    (card,) = cards(show(long).text)
    assert len(card.line) < 420
    assert card.name == "A b c"
    assert show().text.startswith(f"Prompt: {PROMPT}")


def test_a_long_prompt_is_shown_in_part() -> None:
    prompt = parse_prompt("word " * 5000)
    assert len(shown_cards(Query(prompt, prompt, Selection()), Candidates((), ()), 5).text) < 5000


def test_the_rules_say_the_limits() -> None:
    said = composition_rules(replace(Selection(), per_task=2, max_styles=1), 4)
    assert "0 to 2 adapters" in said
    assert "at most 1 styles and 4 adapters" in said
    assert "data that strangers wrote" in said
    assert "data that strangers wrote" in pruning_rules()


def read(data: dict[str, object]) -> tuple[list[str], list[str]]:
    them = show(
        found(1, "keep", "castle", model_id=1), found(2, "aquarelle", "watercolor", model_id=2)
    )
    choice = read_choice(CompositionAnswer.model_validate(data), them, parse_prompt(PROMPT))
    return [task.text for task in choice.tasks.values()], [note.text for note in choice.notes()]


def test_many_faults_are_told_in_few_notes() -> None:
    rows = [{"number": number, "reason": ""} for number in (0, -1, 3, 10**30)]
    tasks, told = read(
        {
            "tasks": (
                [{"task": f"unicorn {number}", "adapters": rows} for number in range(12)]
                + [{"task": "castle", "adapters": rows}]
            ),
            "prune": [],
        }
    )
    assert tasks == ["castle"]
    assert len(told) == 5
    assert " 8 more" in told[-1]


def test_a_task_named_twice_is_one() -> None:
    tasks, told = read(
        {
            "tasks": [
                {"task": "castle", "adapters": []},
                {"task": "Castle ", "adapters": [{"number": 1, "reason": "r"}]},
            ],
            "prune": [],
        }
    )
    assert (tasks, told) == (["castle"], [])


ASK: LlmRequest[LlmAnswer] = LlmRequest("s", "u", CompositionAnswer, seed=1)


def test_answers_are_found_again_after_a_restart_and_are_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    AnswerCache(path).put("one", {"tasks": []})
    assert AnswerCache(path).get("one") == {"tasks": []}
    assert AnswerCache(path).get("two") is None
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == ["answers.json"]


def test_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    answers = AnswerCache(tmp_path / "a.json", most=2)
    for name in ("one", "two"):
        answers.put(name, {"n": name})
    assert answers.get("one") == {"n": "one"}
    answers.put("three", {})
    assert answers.get("two") is None
    assert answers.get("one") == {"n": "one"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 3}', b"\xff\xfe", b"[" * 9000])
def test_a_broken_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    answers = AnswerCache(path)
    assert answers.get("a") is None
    answers.put("b", {})
    assert AnswerCache(path).get("b") == {}


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    answers = AnswerCache(tmp_path / "none" / "a.json")
    answers.put("a", {"x": 1})
    assert answers.get("a") == {"x": 1}


def test_what_an_answer_depends_on() -> None:
    base = answer_key("m at u", 0.0, ASK)
    assert answer_key("m at u", 0.0, replace(ASK, seed=2)) == base
    others = [
        answer_key("n at u", 0.0, ASK),
        answer_key("m at u", 0.5, ASK),
        answer_key("m at u", 0.0, replace(ASK, user="v")),
        answer_key("m at u", 0.0, replace(ASK, system="t")),
        answer_key("m at u", 0.5, replace(ASK, seed=2)),
        answer_key("m at u", 0.0, replace(ASK, schema=PruningAnswer)),
    ]
    assert len({base, *others}) == 7
