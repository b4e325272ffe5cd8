"""kill -9 at any moment loses nothing that was finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey
from tests.catalogue.store.killing import Finished, campaign, killed
from tests.catalogue.store.worker import BATCH, key_of
from tests.fakes import make_entry


def check(folder: Path, finished: Finished) -> None:
    store = SqliteStore(folder)
    try:
        assert "catalogue_rebuilt" not in {note.code for note in store.notes}
        for what, number in finished:
            keys = [AdapterKey.civitai(number * BATCH + step) for step in range(BATCH)]
            found = store.read(keys)
            assert len(found) == BATCH
            if what == "edit":
                assert found[key_of(number)].text == f"mine {number}"
            if what == "unite":
                assert store.resolve([AdapterKey.path(f"file {number}")]) == {
                    AdapterKey.path(f"file {number}"): keys[1]
                }
                assert found[keys[1]].edits.state == "never"
            if what == "part":
                copy = AdapterKey.path(f"copy {number}")
                assert store.resolve([copy, keys[2]]) == {copy: copy, keys[2]: keys[2]}
                assert [entry.edits.weight for entry in store.read([keys[2], copy]).values()] == [
                    0.5,
                    None,
                ]
        # Half a transaction is never seen: entries come in whole batches, apart from files that
        # still wait to be united.
        assert sum(key.scheme == "civitai" for key in store.text_fingerprints("card")) % BATCH == 0
    finally:
        store.close()


def kills(folder: Path, rounds: int, seed: int) -> None:
    finished = campaign("worker", folder, check, rounds, seed)
    assert {what for what, _ in finished} == {"write", "edit", "unite", "part"}


def test_a_kill_loses_nothing_that_was_finished(tmp_path: Path) -> None:
    kills(tmp_path, rounds=6, seed=1)


@pytest.mark.long
def test_many_kills_lose_nothing_that_was_finished(tmp_path: Path) -> None:
    kills(tmp_path, rounds=50, seed=2)


def test_edits_survive_a_kill_and_the_loss_of_the_database(tmp_path: Path) -> None:
    finished = killed("worker", tmp_path, 0, 30, 0)
    for path in tmp_path.glob("catalogue.sqlite*"):
        path.unlink()
    edited = [number for what, number in finished if what == "edit"]
    assert edited
    store = SqliteStore(tmp_path)
    try:
        store.write(make_entry(number * BATCH, "Seen again") for number in edited)
        found = store.read(map(key_of, edited))
        assert [found[key_of(number)].text for number in edited] == [
            f"mine {number}" for number in edited
        ]
    finally:
        store.close()
