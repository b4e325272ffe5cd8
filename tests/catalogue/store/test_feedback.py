"""Verdicts in SQLite and user.jsonl: a kill, a lost database, a replaced journal."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.feedback import Verdict
from tests.catalogue.store.killing import Finished, campaign

KEY = AdapterKey.civitai(1)


def check(folder: Path, finished: Finished) -> None:
    with closing(SqliteStore(folder)) as store:
        there = {verdict.prompt for verdict in store.verdicts.all()}
    back = {number for what, number in finished if what == "back"}
    wrong = {number for what, number in finished if what == "wrong"}
    unsure = {
        number for number in wrong - back if number % 3 == 0
    }  # taking it back may have been done and not yet said
    assert {f"prompt {number}" for number in wrong - back - unsure} <= there
    assert not {f"prompt {number}" for number in back} & there


def test_a_kill_loses_no_verdict_nor_does_the_loss_of_the_database(tmp_path: Path) -> None:
    finished = campaign("judge", tmp_path, check, rounds=3, seed=3)
    for path in tmp_path.glob("catalogue.sqlite*"):
        path.unlink()
    check(tmp_path, finished)


def test_the_record_is_plain_text(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        store.verdicts.tell(KEY, "a fox", wrong=True)
    said = [json.loads(line) for line in (tmp_path / "user.jsonl").read_text("utf-8").splitlines()]
    assert said == [
        {"v": 1, "what": "verdict", "key": "civitai:1", "prompt": "a fox", "wrong": True}
    ]


def test_another_user_jsonl_adds_its_verdicts_to_those_known(tmp_path: Path) -> None:
    for name, prompt in (("one", "a fox"), ("two", "rain")):
        with closing(SqliteStore(tmp_path / name)) as store:
            store.verdicts.tell(KEY, prompt, wrong=True)
            store.verdicts.tell(KEY, prompt, wrong=True)
    (tmp_path / "one" / "user.jsonl").write_bytes((tmp_path / "two" / "user.jsonl").read_bytes())
    with closing(SqliteStore(tmp_path / "one")) as store:
        assert set(store.verdicts.all()) == {Verdict(KEY, "a fox", 2), Verdict(KEY, "rain", 2)}
        assert "user_journal_replaced" in {note.code for note in store.notes}
    with closing(SqliteStore(tmp_path / "one")) as store:
        assert len(store.verdicts.all()) == 2


def test_lines_that_say_nothing_are_passed_over(tmp_path: Path) -> None:
    lines = [
        {"v": 1, "what": "verdict"},
        {"v": 1, "what": "verdict", "key": "x", "prompt": "a", "wrong": True},
        {"v": 1, "what": "verdict", "key": "civitai:1", "prompt": "a", "wrong": True},
        {"v": 1, "what": "of a newer Stylus"},
    ]
    (tmp_path / "user.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines), "utf-8"
    )
    with closing(SqliteStore(tmp_path)) as store:
        assert store.verdicts.all() == (Verdict(KEY, "a"),)
        assert any("user.jsonl" in note.text for note in store.notes)
