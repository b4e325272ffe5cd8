from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.errors import InvalidInput
from stylus_ext.evaluation.tasks import lines, run_tasks, score


def test_the_same_tasks_are_perfect() -> None:
    record = {"row": 1, "prompt": "a red fox in the snow", "tasks": {"red fox": 1, "snow": 0}}
    assert score([record], [["red fox", "snow"]]).f1 == 1.0


def test_half_a_task_is_worth_what_its_words_are() -> None:
    record = {"row": 1, "prompt": "a red fox in the snow", "tasks": {"red fox": 1}}
    found = score([record], [["fox"]])
    assert found.precision == found.recall == pytest.approx(2 / 3)


def test_a_word_used_twice_counts_against_it() -> None:
    record = {"row": 1, "prompt": "a red fox", "tasks": {"red fox": 1}}
    found = score([record], [["red fox", "fox"]])
    assert (found.overlapping, found.precision, found.recall) == (1, 0.5, 1.0)


def test_no_tasks_at_all() -> None:
    assert score([{"row": 1, "prompt": "a fox", "tasks": {"fox": 1}}], [[]]).f1 == 0.0


def test_a_file_in_a_file_out(tmp_path: Path) -> None:
    source, out = tmp_path / "tasks.jsonl", tmp_path / "mine.jsonl"
    source.write_text(
        json.dumps({"row": 7, "prompt": "A corgi on a wall.", "tasks": {"corgi": 1, "wall": 0}})
        + "\n",
        "utf-8",
    )
    report = run_tasks(source, out)
    assert report["f1"] == 1.0
    assert json.loads(out.read_text("utf-8")) == {"row": 7, "tasks": ["corgi", "wall"]}
    assert "F1 1.000" in "\n".join(lines(report))


@pytest.mark.parametrize("text", ["{", "[]\n", "nonsense"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    source = tmp_path / "tasks.jsonl"
    source.write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match=r"\b1\b"):
        run_tasks(source, tmp_path / "mine.jsonl")


GOOD = {"row": 1, "prompt": "a fox", "tasks": {"fox": 1}}


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("value", [None, 3.5])
def test_a_record_that_lacks_something_is_a_sentence(
    tmp_path: Path, name: str, value: object
) -> None:
    source = tmp_path / "tasks.jsonl"
    source.write_text(json.dumps(GOOD) + "\n" + json.dumps({**GOOD, name: value}) + "\n", "utf-8")
    with pytest.raises(InvalidInput, match=f"2.*'{name}'"):
        run_tasks(source, tmp_path / "mine.jsonl")
    assert not (tmp_path / "mine.jsonl").exists()


def test_bytes_that_are_no_text_are_a_sentence(tmp_path: Path) -> None:
    source = tmp_path / "tasks.jsonl"
    source.write_bytes(b'{"row": "\xff\xfe"}')
    with pytest.raises(InvalidInput):
        run_tasks(source, tmp_path / "mine.jsonl")


def test_by_hand_over_two_prompts() -> None:
    """Prompt 1: 'red fox' is found whole, 'snow' not at all. Prompt 2: 'old stone bridge' is found
    as 'stone bridge', and 'sky' is too much.
    """
    records = [
        {"row": 1, "prompt": "a red fox in the snow", "tasks": {"red fox": 1, "snow": 0}},
        {"row": 2, "prompt": "an old stone bridge under the sky", "tasks": {"old stone bridge": 1}},
    ]
    found = score(records, [["red fox"], ["stone bridge", "sky"]])
    bridge = 2 * 2 / (3 + 2)
    assert found.prompts == 2
    assert found.tasks_per_prompt == pytest.approx(3 / 2)
    assert found.overlapping == 0
    assert found.precision == pytest.approx((1 + bridge + 0) / 3)
    assert found.recall == pytest.approx((1 + 0 + bridge) / 3)
    assert found.f1 == pytest.approx(found.precision)


def test_a_word_that_the_prompt_does_not_have_is_no_task() -> None:
    found = score([{"row": 1, "prompt": "a fox", "tasks": ["fox"]}], [["wolf", "fox"]])
    assert (found.overlapping, found.precision, found.recall) == (1, 0.5, 1.0)


def test_a_word_that_stands_twice_may_be_used_twice() -> None:
    record = {"row": 1, "prompt": "a red fox and a red barn", "tasks": ["red fox", "red barn"]}
    assert score([record], [["red fox", "red barn"]]).f1 == 1.0
    assert score([record], [["red fox", "red barn", "red"]]).overlapping == 1


def test_small_words_and_case_do_not_count() -> None:
    record = {"row": 1, "prompt": "The Fox of the North", "tasks": ["fox of the north"]}
    assert score([record], [["Fox North"]]).f1 == 1.0


WORDS = st.lists(st.sampled_from("red old fox bridge snow sky".split()), min_size=1, max_size=4)
TASKS = st.lists(WORDS.map(" ".join), max_size=4)


@given(WORDS, TASKS, TASKS)
def test_figures_are_shares_and_the_splitters_own_tasks_are_never_beaten(
    prompt: list[str], theirs: list[str], mine: list[str]
) -> None:
    record = {"row": 1, "prompt": " ".join(prompt), "tasks": theirs}
    found = score([record], [mine])
    assert 0 <= found.precision <= 1
    assert 0 <= found.recall <= 1
    assert min(found.precision, found.recall) <= found.f1 + 1e-9
    assert found.f1 <= max(found.precision, found.recall) + 1e-9
    assert 0 <= found.overlapping <= len(mine)
    text = " ".join(prompt)
    whole = score([{**record, "tasks": [text]}], [[text]])
    assert whole.f1 == 1.0
