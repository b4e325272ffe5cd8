"""`evaluate judge` as a process: what is on disk after a kill, and what its flags mean."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from stylus_ext.evaluation.pictures.judging.verdicts import (
    HUMAN_FILE,
    TASK_FILE,
    VLM_FILE,
    VerdictFile,
)
from tests.chat_service.answers import completion
from tests.chat_service.server import Asked, Sent, serving
from tests.engine_process import PATIENCE_S, Cli, run, start
from tests.evaluation.pictures.judging.test_page import Client
from tests.evaluation.pictures.judging.test_vlm import likes_one_colour, sees_one_colour
from tests.evaluation.pictures.test_report import better_in_one, same_in_both, write_run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return write_run(tmp_path / "out", better_in_one, count=2).folder


def test_a_killed_page_loses_no_verdict(out: Path, tmp_path: Path) -> None:
    words = ["evaluate", "judge", "--out", str(out), "--repeated", "0"]
    for done in (0, 3):
        process = start(tmp_path / "data", *words)
        assert process.stdout is not None
        lines = process.stdout.readline() + process.stdout.readline()
        found = re.search(rb"(http://127\.0\.0\.1:\d+/)#(\S+)", lines)
        assert found is not None, lines
        client = Client(found[1].decode(), token=found[2].decode())
        view = client.ask("next")
        assert (view["done"], view["total"]) == (done, 4)
        for _ in range(3 - done):
            view = client.ask("choose", trial=view["trial"], choice="left")
        assert run(tmp_path / "data", *words).code == 1
        process.kill()
        process.communicate(timeout=PATIENCE_S)
        assert len(VerdictFile(out / HUMAN_FILE).latest()) == 3


def test_a_killed_model_run_pays_nothing_twice(out: Path, tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()
    answered: list[int] = []

    def hold(asked: Asked) -> Sent:
        answered.append(1)
        if len(answered) == 5:
            reached.set()
            go_on.wait(PATIENCE_S)
        return likes_one_colour(asked)

    with serving(hold) as chat:
        words = ["evaluate", "judge", "--vlm", "--out", str(out), "--chat-url", chat.url]
        words += ["--chat-model", "seer", "--criteria", "quality", "--parallel", "1"]
        process = start(tmp_path / "data", *words)
        assert reached.wait(PATIENCE_S)
        process.kill()
        process.communicate(timeout=PATIENCE_S)
        go_on.set()
        assert len(VerdictFile(out / VLM_FILE).latest()) == 4
        ran = run(tmp_path / "data", *words, "--json")
        assert ran.json["answered"] == 4
        assert len(answered) == 9
    report = run(tmp_path / "data", "evaluate", "report", "--out", str(out), "--json").json
    assert report["judging"][0]["against_reference"]["stylus"]["wins"] == 4


def test_a_dry_run_sends_nothing(stylus: Cli, out: Path) -> None:
    with serving(likes_one_colour) as chat:
        words = ["evaluate", "judge", "--vlm", "--out", str(out), "--chat-url", chat.url]
        ran = stylus(*words, "--chat-model", "seer", "--dry-run", "--json")
        assert ran.code == 0, ran.err
        assert ran.json["questions"] == 8 + 8 + 4
        assert ran.json["estimate"]["tokens_in"] > 0
        assert chat.seen == []


def test_tasks_come_from_a_file(stylus: Cli, out: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    listed = {"prompt": "a red thing 0", "tasks": ["a red thing", {"task": "red", "style": "Red"}]}
    tasks.write_text(json.dumps(listed) + "\n")
    with serving(sees_one_colour) as chat:
        words = ["evaluate", "judge", "--vlm", "--out", str(out), "--chat-url", chat.url]
        words += ["--chat-model", "seer", "--criteria", "composition"]
        assert stylus(*words).code == 1
        ran = stylus(*words, "--tasks", str(tasks), "--json")
        assert ran.json["answered"] == 8, ran.err
        assert len((out / TASK_FILE).read_text("utf-8").splitlines()) == 8
        tasks.write_text('{"prompt": "a red thing 0"}\n')
        assert stylus(*words, "--tasks", str(tasks)).code == 1
    report = stylus("evaluate", "report", "--out", str(out), "--json").json
    shown = next(
        each for each in report["scales"][0]["metrics"] if each["name"].startswith("task-present")
    )
    assert shown["arms"]["stylus"]["mean"] == 1.0
    assert shown["arms"]["base"]["mean"] == 0.0


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--vlm"],
        ["--vlm", "--chat-url", "http://127.0.0.1:1", "--chat-model", "m", "--criteria", "beauty"],
        ["--vlm", "--chat-url", "http://127.0.0.1:1", "--chat-model", "m", "--parallel", "0"],
        ["--repeated", "2"],
        ["--port", "99999"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_judged_is_refused(stylus: Cli, tmp_path: Path, flags: list[str]) -> None:
    how = same_in_both if not flags else better_in_one
    folder = write_run(tmp_path / "out", how, count=1).folder
    assert stylus("evaluate", "judge", "--out", str(folder), *flags).code == 1


def test_an_answer_is_json(out: Path, stylus: Cli) -> None:
    with serving(lambda _: Sent(completion("nonsense"))) as chat:
        words = ["evaluate", "judge", "--vlm", "--out", str(out), "--chat-url", chat.url]
        ran = stylus(*words, "--chat-model", "seer", "--json")
    assert ran.code == 0
    assert ran.json["unusable"] >= 5
    assert ran.json["stopped"]
