from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    source.write_text(json.dumps({"row": 7, "prompt": "A corgi on a wall.", "tasks": {"corgi": 1, "wall": 0}}) + "\n", "utf-8")
    report = run_tasks(source, out)
    assert report["f1"] == 1.0
    assert json.loads(out.read_text("utf-8")) == {"row": 7, "tasks": ["corgi", "wall"]}
    assert "F1 1.000" in "\n".join(lines(report))


@pytest.mark.parametrize("text", ["{", "[]\n", "nonsense"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    source = tmp_path / "tasks.jsonl"
    source.write_text(text, "utf-8")
    with pytest.raises(InvalidInput, match="Line 1"):
        run_tasks(source, tmp_path / "mine.jsonl")
